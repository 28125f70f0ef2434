/** A watch: what a client asks for, from its first event to its end. Source: apiserver `endpoints/handlers/watch.go`. */
import { StatusError } from '../../status.ts';
import { openWatch } from '../operations/watch.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { type Exchange, flag, parameter } from './exchange.ts';
import type { Negotiated } from './negotiate.ts';
import { negotiatedFor } from './negotiated.ts';
import { WatchEvents } from './watch-events.ts';
import { sinkOf } from './watch-sinks.ts';

const BOOKMARK_MS = 60_000;
/** Upstream's `--min-request-timeout`: a watch without a timeout ends after half an hour to an hour. */
const DEFAULT_TIMEOUT_MS = 30 * 60_000;

const streamTypes: { readonly [form in Negotiated['form']]: string } = {
  json: 'application/json',
  yaml: 'application/json;stream=watch',
  protobuf: 'application/vnd.kubernetes.protobuf;stream=watch',
};

/** Resolves when the stream has ended. */
export async function streamWatch(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const as = negotiatedFor(parts, exchange, call);
  const sink = sinkOf(exchange);
  const end = AbortSignal.any([exchange.signal, sink.gone, AbortSignal.timeout(timeoutOf(exchange, parts))]);
  const events = new WatchEvents(parts, { exchange, call, as, sink });
  const isSendingInitial = initialOf(exchange);
  const { initial, backlog, revision, stop } = await openWatch(
    parts,
    call,
    watchQuery(exchange, call, isSendingInitial),
    (seen) => events.add(seen),
  );
  using _listener = { [Symbol.dispose]: stop };
  await sink.open(streamTypes[as.form]);
  await events.begin(initial ?? [], end);
  if (!events.lost.aborted) {
    if (isSendingInitial) events.bookmark(revision, { 'k8s.io/initial-events-end': 'true' });
    events.goOn(backlog);
  }
  exchange.leave();
  const wantsBookmarks = flag(exchange, 'allowWatchBookmarks');
  while (!end.aborted) {
    // A timer: bookmarks say that time has passed without an event.
    await parts.clock.sleep(BOOKMARK_MS, AbortSignal.any([end, events.lost])).catch(() => undefined);
    if (events.lost.aborted) break;
    // What waits to be told may be older than the bookmark would say; the next one will do.
    if (wantsBookmarks && !exchange.signal.aborted && !events.isBehind) events.bookmark(parts.feed.revision);
  }
  sink.end();
}

function timeoutOf(exchange: Exchange, { random }: ApiParts): number {
  const seconds = Number(parameter(exchange, 'timeoutSeconds') ?? 0);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new StatusError('BadRequest', 'timeoutSeconds is no whole number');
  return Math.round(seconds ? Math.min(seconds * 1000, 2 ** 31 - 1) : DEFAULT_TIMEOUT_MS * (1 + random.fraction()));
}

function initialOf(exchange: Exchange): boolean | undefined {
  if (parameter(exchange, 'sendInitialEvents') === undefined) {
    if (parameter(exchange, 'resourceVersionMatch'))
      throw new StatusError(
        'Invalid',
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    return undefined;
  }
  if (parameter(exchange, 'resourceVersionMatch') !== 'NotOlderThan')
    throw new StatusError(
      'Invalid',
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    );
  return flag(exchange, 'sendInitialEvents');
}

function watchQuery(
  exchange: Exchange,
  { namespace, resource, name }: NamedCall,
  sendInitialEvents: boolean | undefined,
) {
  const version = parameter(exchange, 'resourceVersion');
  const asked = parameter(exchange, 'fieldSelector');
  const named = name ? `metadata.name=${name}` : undefined;
  return {
    namespace: resource.type.isNamespaced ? namespace : undefined,
    labelSelector: parameter(exchange, 'labelSelector'),
    fieldSelector: [asked, named].filter(Boolean).join(',') || undefined,
    resourceVersion: version,
    sendInitialEvents,
  };
}
