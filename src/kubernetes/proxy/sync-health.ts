import type { Clock } from '#base';

/** Twice the 30 s within which kube-proxy looks at everything anew. */
const LIMIT_MS = 60_000;

/**
 * Whether a proxy keeps up: it has had rules in force, and no change has waited for longer than the limit. Behaviour: kubernetes `pkg/proxy/healthcheck/proxy_health.go`.
 */
export class SyncHealth {
  readonly #clock: Pick<Clock, 'now'>;
  #isInForce = false;
  /** Since when a change waits that nobody has begun to apply. */
  #waitingSince: number | undefined;
  /** Since when the oldest change waits of those that were begun with. */
  #begunSince: number | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Something changed. */
  changed(): void {
    this.#waitingSince ??= this.#clock.now();
  }

  /** All changes so far are about to be applied. What is begun again after a failure waits from the first time. */
  begun(): void {
    this.#begunSince ??= this.#waitingSince;
    this.#waitingSince = undefined;
  }

  /** What was begun is in force. */
  applied(): void {
    this.#isInForce = true;
    this.#begunSince = undefined;
  }

  get isHealthy(): boolean {
    const since = this.#begunSince ?? this.#waitingSince;
    return this.#isInForce && (since === undefined || this.#clock.now() - since < LIMIT_MS);
  }
}
