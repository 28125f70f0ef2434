import { DabbaError, type Clock } from '#base';
import type { Engine, EngineEvent } from '#engine';
import type { Api } from './api.ts';
import { readInstant } from './duration.ts';
import { JsonLines, queryFilters, type Exchange } from './exchange.ts';

/** As many as dockerd keeps. */
const keepCount = 256;

/** The engine's events of the recent past, for `since`. */
export class EventLog {
  readonly #engine: Engine;
  readonly #recent: EngineEvent[] = [];
  readonly #listeners = new Set<(event: EngineEvent) => void>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Collects until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    for await (const event of this.#engine.events(signal)) {
      this.#recent.push(event);
      if (this.#recent.length > keepCount) this.#recent.shift();
      for (const listener of this.#listeners) listener(event);
    }
  }

  recent(): readonly EngineEvent[] {
    return [...this.#recent];
  }

  listen(listener: (event: EngineEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

/** GET /events: what is remembered since `since`, then what happens until `until` or until the client goes. */
export async function streamEvents(api: Api, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const since = readInstant(query.get('since'), 'since');
  const until = readInstant(query.get('until'), 'until');
  const isWanted = eventFilter(queryFilters(exchange));
  const waiting: EngineEvent[] = since === undefined ? [] : api.events.recent().filter(({ at }) => at >= since);
  let wake: (() => void) | undefined;
  using _listening = api.events.listen((event) => {
    waiting.push(event);
    wake?.();
  });
  const signal = AbortSignal.any([exchange.signal, deadline(api.clock, until, exchange.signal)]);
  signal.addEventListener('abort', () => wake?.(), { once: true });
  const lines = new JsonLines(exchange);
  lines.start();
  for (;;) {
    for (const event of waiting.splice(0))
      if (isWanted(event) && (until === undefined || event.at <= until)) await lines.send(eventJson(event));
    if (signal.aborted) break;
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    if (waiting.length === 0) await promise;
  }
  lines.end();
}

/** Aborts at an instant. */
function deadline(clock: Clock, until: number | undefined, signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  if (until === undefined) return controller.signal;
  const end = () => controller.abort();
  if (until <= clock.now()) end();
  // The client going away ends the wait too, and then nobody is left to tell.
  else void clock.sleep(until - clock.now(), signal).then(end, end);
  return controller.signal;
}

function eventFilter(filters: ReadonlyMap<string, readonly string[]>): (event: EngineEvent) => boolean {
  const tests = [...filters].map(([name, values]) => {
    switch (name) {
      case 'type':
        return (event: EngineEvent) => values.includes(event.type);
      case 'event':
        return (event: EngineEvent) =>
          values.some((value) => event.action === value || event.action.startsWith(`${value}:`));
      case 'image':
        return (event: EngineEvent) => isOfImage(event, values);
      case 'container':
      case 'volume':
      case 'network':
        return (event: EngineEvent) =>
          event.type === name &&
          values.some(
            (value) =>
              event.id === value || event.id.startsWith(value) || event.attributes['name'] === value.replace(/^\//, ''),
          );
      case 'daemon':
      case 'plugin':
      case 'service':
      case 'node':
      case 'secret':
      case 'config':
        return () => false; // there are none
      case 'scope':
        return () => values.includes('local');
      case 'label':
        return ({ attributes }: EngineEvent) =>
          values.every((value) => {
            const [label, ...rest] = value.split('=');
            return attributes[label!] !== undefined && (rest.length === 0 || attributes[label!] === rest.join('='));
          });
      default:
        throw new DabbaError('InvalidArgument', `invalid filter '${name}'`);
    }
  });
  return (event) => tests.every((test) => test(event));
}

/** Of an image, or of a container made from it; with or without the tag. */
function isOfImage({ type, id, attributes }: EngineEvent, values: readonly string[]): boolean {
  if (type !== 'image' && type !== 'container') return false;
  const name = attributes[type === 'image' ? 'name' : 'image'] ?? '';
  const names = [id, name].flatMap((each) => [each, each.replace(/:[^:/]+$/, '')]);
  return values.some((value) => names.includes(value) || (type === 'image' && id.startsWith(value)));
}

function eventJson({ type, action, id, attributes, at }: EngineEvent): object {
  const legacy = type === 'container' || type === 'image' ? { status: action, id } : {};
  const from = type === 'container' && attributes['image'] !== undefined ? { from: attributes['image'] } : {};
  return {
    ...legacy,
    ...from,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Math.floor(at / 1000),
    timeNano: Number(BigInt(Math.floor(at)) * 1_000_000n),
  };
}
