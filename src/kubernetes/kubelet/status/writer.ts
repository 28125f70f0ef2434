import { isDeepStrictEqual } from 'node:util';
import { type Clock, type Logger, messageOf, type Random } from '#base';
import type { ApiClient } from '../../client/client.ts';
import { pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type * as types from '../../types.ts';
import type { PodRef } from '../identity.ts';

/** Makes a status over what the object says at the moment of writing: conditions of others are kept. */
export type StatusOf = (pod: types.Pod) => types.PodStatus;

const [firstPauseMs, longestPauseMs] = [100, 5_000] as const;

/**
 * A pod's status on its way to the API server. The newest one wins and is written behind the caller's back: work does not wait for its own report. `flush` does, for what
 * must be known before the next deed.
 */
export class PodStatusWriter {
  readonly #client: ApiClient;
  readonly #ref: PodRef;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  #wanted: StatusOf | undefined;
  #seen: types.Pod | undefined;
  #writing: Promise<void> | undefined;

  constructor(
    ref: PodRef,
    options: {
      readonly client: ApiClient;
      readonly clock: Clock;
      readonly random: Random;
      readonly logger: Logger;
      readonly signal: AbortSignal;
    },
  ) {
    this.#ref = ref;
    this.#client = options.client;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#logger = options.logger;
    this.#signal = options.signal;
  }

  /** `pod` is the newest object that the caller knows. */
  write(pod: types.Pod, statusOf: StatusOf): void {
    if (isNewer(pod, this.#seen)) this.#seen = pod;
    this.#wanted = statusOf;
    this.#writing ??= this.#drain();
  }

  /** Resolves when the server has the newest status, or the pod is gone. Throws when the kubelet ends first. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
    this.#signal.throwIfAborted();
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    for (let failures = 0; this.#wanted && !this.#signal.aborted;) {
      const statusOf = this.#wanted;
      this.#wanted = undefined;
      try {
        await this.#write(statusOf);
        failures = 0;
      } catch (error) {
        if (this.#signal.aborted) break;
        if (isStatusError(error, 'NotFound')) continue;
        this.#wanted ??= statusOf;
        if (isStatusError(error, 'Conflict')) this.#seen = undefined;
        else {
          this.#logger.warn('a pod status was not written', { pod: this.#ref.name, error: messageOf(error) });
          const pauseMs = Math.min(firstPauseMs * 2 ** failures++, longestPauseMs);
          await this.#clock.sleep(pauseMs * (0.5 + this.#random.fraction() / 2), this.#signal).catch(() => undefined);
        }
      }
    }
    this.#writing = undefined;
  }

  async #write(statusOf: StatusOf): Promise<void> {
    const { namespace, name, uid } = this.#ref;
    const signal = this.#signal;
    this.#seen ??= await this.#client.get(pods, { namespace, name }, { signal });
    // Another pod of that name: ours is gone, and with it whoever would read this.
    if (this.#seen.metadata?.uid !== uid) return void (this.#seen = undefined);
    const status = statusOf(this.#seen);
    if (isDeepStrictEqual(status, this.#seen.status)) return;
    this.#seen = await this.#client.update(pods, { ...this.#seen, status }, { subresource: 'status', signal });
  }
}

function isNewer(pod: types.Pod, than: types.Pod | undefined): boolean {
  return Number(pod.metadata?.resourceVersion ?? 0) >= Number(than?.metadata?.resourceVersion ?? 0);
}
