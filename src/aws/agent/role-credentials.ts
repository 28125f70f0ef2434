import type { Clock } from '#base';
import { SessionCache } from '../session-cache.ts';
import type { Credentials } from './signed-request.ts';

/** Asks the control plane for a session of one of a task's roles. Throws `DabbaError` when the task has no such role, or may not use it. */
export type CredentialsSource = (
  taskArn: string,
  role: 'execution' | 'task',
  signal: AbortSignal,
) => Promise<Credentials>;

/** Sessions of tasks' roles, kept until they are about to end, so that a task asks once. */
export class RoleCredentials {
  readonly #source: CredentialsSource;
  readonly #sessions: SessionCache<Credentials>;

  constructor(source: CredentialsSource, clock: Clock) {
    this.#source = source;
    this.#sessions = new SessionCache(() => clock.now());
  }

  async execution(taskArn: string, signal: AbortSignal): Promise<Credentials> {
    return await this.#session(taskArn, 'execution', signal);
  }

  async task(taskArn: string, signal: AbortSignal): Promise<Credentials> {
    return await this.#session(taskArn, 'task', signal);
  }

  async #session(taskArn: string, role: 'execution' | 'task', signal: AbortSignal): Promise<Credentials> {
    return await this.#sessions.of(`${role} ${taskArn}`, async () => await this.#source(taskArn, role, signal));
  }

  /** Forgets a session of the execution role that an API no longer accepts. */
  forget(taskArn: string): void {
    this.#sessions.forget(`execution ${taskArn}`);
  }
}
