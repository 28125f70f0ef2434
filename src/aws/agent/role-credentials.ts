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

/** Sessions of tasks' execution roles, kept until they are about to end, so that a task asks once. */
export class RoleCredentials {
  readonly #source: CredentialsSource;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Promise<Credentials>>();

  constructor(source: CredentialsSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  async execution(taskArn: string, signal: AbortSignal): Promise<Credentials> {
    const known = await this.#known(taskArn);
    if (known) return known;
    const asked = this.#source(taskArn, 'execution', signal);
    this.#sessions.delete(taskArn);
    this.#sessions.set(taskArn, asked);
    if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!);
    return asked;
  }

  /** Forgets a session that an API no longer accepts. */
  forget(taskArn: string): void {
    this.#sessions.delete(taskArn);
  }

  async #known(taskArn: string): Promise<Credentials | undefined> {
    // One that could not be had, or was asked for by somebody who gave up, is asked for anew.
    const session = await this.#sessions.get(taskArn)?.catch(() => undefined);
    return session && session.expiresAt - this.#clock.now() > RENEW_BEFORE_MS ? session : undefined;
  }
}
