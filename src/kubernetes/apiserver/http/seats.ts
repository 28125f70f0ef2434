/** Priority and fairness on the way of a request. Source: apiserver `server/filters/priority-and-fairness.go`, `util/flowcontrol/request/width.go`. */
import type { ApiParts } from '../parts.ts';
import { type Exchange, parameter } from './exchange.ts';

/** A list stands for one request more with each so many objects, up to ten. */
const OBJECTS_PER_SEAT = 100;
const MOST_SEATS = 10;

/** Waits for the request's turn. Throws `TooManyRequests`. Connections and logs last, and take no seats. */
export async function takeSeats({ flowControl, feed }: ApiParts, exchange: Exchange): Promise<void> {
  const { info, user, response, signal } = exchange;
  if (info.kind === 'resource' && isLong(info.subresource)) return;
  const digest = { info, user };
  const classified = flowControl.classify(digest);
  tell(response, 'X-Kubernetes-PF-FlowSchema-UID', classified.schema.metadata?.uid);
  tell(response, 'X-Kubernetes-PF-PriorityLevel-UID', classified.level.metadata?.uid);
  exchange.leave = await flowControl.enter(classified, digest, { seats: widthOf(exchange, feed), signal });
}

function tell(response: Exchange['response'], header: string, value: string | undefined): void {
  if (value !== undefined) response.setHeader(header, value);
}

function isLong(subresource: string | undefined): boolean {
  return ['attach', 'exec', 'log', 'portforward', 'proxy'].includes(subresource ?? '');
}

function widthOf(exchange: Exchange, feed: ApiParts['feed']): number {
  const { info } = exchange;
  if (info.kind !== 'resource' || info.verb !== 'list') return 1;
  const limit = Number(parameter(exchange, 'limit')) || Number.POSITIVE_INFINITY;
  const objects = Math.min(limit, feed.sizeOf({ group: info.groupVersion.group, resource: info.resource }));
  return Math.min(MOST_SEATS, 1 + Math.floor(objects / OBJECTS_PER_SEAT));
}
