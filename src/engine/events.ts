import { DabbaError, type Clock } from '#base';
import type { EngineEvent } from './engine.ts';

/** A listener this far behind is cut off rather than remembered for. */
const longestBacklog = 4096;

/** Passes the engine's events from who makes them to who listens. Nothing is kept for those who come later. */
export class EventHub {
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: EngineEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish(event: Omit<EngineEvent, 'at'>): void {
    const stamped = { at: this.#clock.now(), ...event };
    for (const listener of this.#listeners) listener(stamped);
  }

  /** Events from this call on, until aborted. Throws `ResourceExhausted` when the reader falls far behind. */
  subscribe(signal: AbortSignal): AsyncIterable<EngineEvent> {
    const backlog: EngineEvent[] = [];
    let wake: () => void = () => undefined;
    const listener = (event: EngineEvent) => {
      backlog.push(event);
      if (backlog.length > longestBacklog) this.#listeners.delete(listener);
      wake();
    };
    const onAbort = () => {
      this.#listeners.delete(listener);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const listeners = this.#listeners;
    return (async function* () {
      try {
        while (!signal.aborted) {
          if (backlog.length > longestBacklog)
            throw new DabbaError('ResourceExhausted', `an event listener fell ${longestBacklog} events behind`);
          const event = backlog.shift();
          if (event) yield event;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        listeners.delete(listener);
        signal.removeEventListener('abort', onAbort);
      }
    })();
  }
}
