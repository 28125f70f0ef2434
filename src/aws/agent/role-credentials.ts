import type { Clock } from '#base';
import type { Credentials } from './signed-request.ts';

/** Asks the control plane for a session of one of a task's roles. Throws `DabbaError` when the task has no such role, or may not use it. */
export type CredentialsSource = (
  taskArn: string,
  role: 'execution' | 'task',
  signal: AbortSignal,
) => Promise<Credentials>;

/** A session with less left than this is renewed first. */
const RENEW_BEFORE_MS = 5 * 60_000;
const MAX_SESSIONS = 1000;

/** Sessions of tasks' roles, kept until they are about to end, so that a task asks once. */
export class RoleCredentials {
  readonly #source: CredentialsSource;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Promise<Credentials>>();

  constructor(source: CredentialsSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  async execution(taskArn: string, signal: AbortSignal): Promise<Credentials> {
    return this.#session(taskArn, 'execution', signal);
  }

  async task(taskArn: string, signal: AbortSignal): Promise<Credentials> {
    return this.#session(taskArn, 'task', signal);
  }

  async #session(taskArn: string, role: 'execution' | 'task', signal: AbortSignal): Promise<Credentials> {
    const id = `${role} ${taskArn}`;
    const known = await this.#known(id);
    if (known) return known;
    const asked = this.#source(taskArn, role, signal);
    this.#sessions.delete(id);
    this.#sessions.set(id, asked);
    if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!);
    return asked;
  }

  /** Forgets a session of the execution role that an API no longer accepts. */
  forget(taskArn: string): void {
    this.#sessions.delete(`execution ${taskArn}`);
  }

  async #known(id: string): Promise<Credentials | undefined> {
    // One that could not be had, or was asked for by somebody who gave up, is asked for anew.
    const session = await this.#sessions.get(id)?.catch(() => undefined);
    return session && session.expiresAt - this.#clock.now() > RENEW_BEFORE_MS ? session : undefined;
  }
}
