/** Requests that another server answers: kube-aggregator `pkg/apiserver/handler_proxy.go`. */
import { pipeline } from 'node:stream/promises';
import { messageOf } from '#base';
import type { RemoteApi } from '../aggregation/remote-apis.ts';
import { requestRemote } from '../aggregation/request.ts';
import type { GroupVersion } from '../../object.ts';
import { isStatusError, StatusError } from '../../status.ts';
import type { ApiParts } from '../parts.ts';
import type { Exchange } from './exchange.ts';
import { notFoundPath } from './refusals.ts';

/** Who serves a group version in place of the cluster. What it serves itself it goes on serving while the other is not there. */
export function remoteFor({ remoteApis, catalog }: ApiParts, groupVersion: GroupVersion): RemoteApi | undefined {
  const remote = remoteApis.find(groupVersion);
  return remote && (remote.isAvailable || !catalog.resources(groupVersion).length) ? remote : undefined;
}

/** The group version whose discovery a path asks for. */
export function discoveredBy(path: string): GroupVersion | undefined {
  const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)\/?$/.exec(path) ?? [];
  return group !== undefined && version !== undefined ? { group, version } : undefined;
}

const ownHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** Throws `ServiceUnavailable` when nobody answers, `NotFound` for a path that could be read in two ways, `NotImplemented` for connections that leave HTTP. */
export async function passOn(parts: ApiParts, exchange: Exchange, { spec, isAvailable }: RemoteApi): Promise<void> {
  const { request, response, url, user, signal, upgrade } = exchange;
  if (!isAvailable) throw new StatusError('ServiceUnavailable', 'service unavailable');
  if (upgrade) throw new StatusError('NotImplemented', 'connections to aggregated servers cannot be upgraded');
  const { method = 'GET' } = request;
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const hasBody = length !== undefined || encoding !== undefined;
  const answer = await requestRemote(parts, {
    spec,
    method,
    path: `${pathAsRead(url.pathname)}${url.search}`,
    headers: distinct(request.headersDistinct),
    user,
    ...(hasBody && { body: request }),
    signal,
  }).catch((error: unknown) => {
    if (isStatusError(error)) throw error;
    throw new StatusError('ServiceUnavailable', `error trying to reach service: ${messageOf(error)}`, { cause: error });
  });
  const headers = Object.entries(answer.headers).filter(([name]) => !ownHeaders.has(name));
  response.writeHead(answer.statusCode ?? 502, Object.fromEntries(headers));
  response.flushHeaders();
  // It may be a watch, and last.
  exchange.leave();
  await pipeline(answer, response).catch((error: unknown) => {
    if (!signal.aborted && !response.destroyed) throw error;
  });
}

/** The other server reads the path anew, and must find in it what was decided on here: no segment that is several, and none that is nothing. */
function pathAsRead(path: string): string {
  if (/%2f/i.test(path)) throw notFoundPath();
  return path.replaceAll(/\/{2,}/g, '/');
}

function distinct(headers: NodeJS.Dict<string[]>): { readonly [name: string]: readonly string[] } {
  return Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values ?? []]));
}
