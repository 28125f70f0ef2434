/** A session with less left is replaced before it is given: Amazon EC2 User Guide, new credentials are there five minutes before the old ones end. */
const RENEW_BEFORE_MS = 5 * 60_000;
const MAX_SESSIONS = 1000;

/** Temporary credentials by what they are for, kept until they are about to end, so that whoever asks often has the same. The oldest go when there are many. */
export class SessionCache<Session extends { readonly expiresAt: number }> {
  readonly #now: () => number;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The session of this name, or the one that `make` gives. Throws as `make` does. */
  async of(name: string, make: () => Promise<Session>): Promise<Session> {
    // One that could not be had, or was asked for by somebody who gave up, is asked for anew.
    const known = await this.#sessions.get(name)?.catch(() => undefined);
    if (known && known.expiresAt - this.#now() > RENEW_BEFORE_MS) return known;
    const made = make();
    this.#sessions.delete(name);
    this.#sessions.set(name, made);
    if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!);
    return await made;
  }

  /** The next that asks gets another. */
  forget(name: string): void {
    this.#sessions.delete(name);
  }
}
