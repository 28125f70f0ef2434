/** Requests that another server answers: kube-aggregator `pkg/apiserver/handler_proxy.go`. */
import { messageOf } from '#base';
import type { RemoteApi } from '../aggregation/remote-apis.ts';
import { dialRemote, hostOf, identityHeaders, requestRemote } from '../aggregation/request.ts';
import type { GroupVersion } from '../../object.ts';
import { isStatusError, StatusError } from '../../status.ts';
import type { ApiParts } from '../parts.ts';
import { passedOn } from '../passed-headers.ts';
import type { Exchange } from './exchange.ts';
import { passBack } from './pass-back.ts';
import { notFoundPath } from './refusals.ts';
import { passUpgrade } from './upgrade.ts';

/** Who serves a group version in place of the cluster. What it serves itself it goes on serving while the other is not there. */
export function remoteFor({ remoteApis, catalog }: ApiParts, groupVersion: GroupVersion): RemoteApi | undefined {
  const remote = remoteApis.find(groupVersion);
  return remote && (remote.isAvailable || !catalog.resources(groupVersion).length) ? remote : undefined;
}

/** The group version whose discovery a path asks for. */
export function discoveredBy(path: string): GroupVersion | undefined {
  const [, group = '', version] = /^\/(?:api|apis\/([^/]+))\/([^/]+)\/?$/.exec(path) ?? [];
  return version !== undefined ? { group, version } : undefined;
}

/** Throws `ServiceUnavailable` when nobody answers, `NotFound` for a path that could be read in two ways. */
export async function passOn(parts: ApiParts, exchange: Exchange, { spec, isAvailable }: RemoteApi): Promise<void> {
  const { request, url, user, signal, upgrade } = exchange;
  if (!isAvailable) throw new StatusError('ServiceUnavailable', 'service unavailable');
  const path = `${pathAsRead(url.pathname)}${url.search}`;
  if (upgrade) {
    const dial = () => dialRemote(parts, spec, signal).catch(unreachable);
    return passUpgrade(exchange, { dial, path, host: hostOf(spec), headers: identityHeaders(user) });
  }
  const { method = 'GET' } = request;
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const hasBody = length !== undefined || encoding !== undefined;
  const headers = passedOn(request.headersDistinct);
  const asked = { spec, method, path, headers, user, ...(hasBody && { body: request }), signal };
  const answer = await requestRemote(parts, asked).catch(unreachable);
  // It may be a watch, and last.
  exchange.leave();
  await passBack(exchange, answer);
}

function unreachable(error: unknown): never {
  if (isStatusError(error)) throw error;
  throw new StatusError('ServiceUnavailable', `error trying to reach service: ${messageOf(error)}`, { cause: error });
}

/** The other server reads the path anew, and must find in it what was decided on here: no segment that is several, and none that is nothing. */
function pathAsRead(path: string): string {
  if (/%2f/i.test(path)) throw notFoundPath();
  return path.replaceAll(/\/{2,}/g, '/');
}
