import { messageOf } from '#base';
import type { UserInfo } from '../../auth/user.ts';
import type { RemoteRead, RemoteReader } from '../../client/remote-reader.ts';
import { openApiPath } from '../../schema/openapi/document.ts';
import { isStatusError, StatusError } from '../../status.ts';
import type { ApiParts } from '../parts.ts';
import { jsonOf } from './answer.ts';
import { requestRemote } from './request.ts';

const TIMEOUT_MS = 10_000;

interface ReaderParts extends Pick<ApiParts, 'dialService' | 'frontProxy'> {
  readonly remoteApis: Pick<ApiParts['remoteApis'], 'find' | 'groupVersions'>;
  readonly authorization: Pick<ApiParts['authorization'], 'require'>;
}

/** For clients in process: what comes over HTTPS is passed on (`http/pass-on.ts`). */
export function remoteReader(parts: ReaderParts, user: UserInfo): RemoteReader {
  const { remoteApis, authorization } = parts;
  return {
    versionsOf: (group) =>
      remoteApis.groupVersions().flatMap((each) => {
        const isThere = each.group === group && remoteApis.find(each)?.isAvailable;
        return isThere ? each.version : [];
      }),
    async read({ query = {}, ...asked }, signal) {
      const { group, version } = asked;
      await authorization.require({ kind: 'resource', user, verb: 'get', ...asked });
      const remote = remoteApis.find({ group, version });
      if (!remote?.isAvailable) throw new StatusError('NotFound', 'the server could not find the requested resource');
      const answer = await requestRemote(parts, {
        spec: remote.spec,
        method: 'GET',
        path: `${pathOf(asked)}?${new URLSearchParams(query)}`,
        headers: { accept: ['application/json'] },
        user,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      }).catch((error: unknown) => {
        signal.throwIfAborted();
        if (isStatusError(error)) throw error;
        throw new StatusError('ServiceUnavailable', `error trying to reach service: ${messageOf(error)}`);
      });
      const told = await jsonOf(answer);
      if (answer.statusCode === 200) return told;
      throw new StatusError('ServiceUnavailable', messageIn(told) ?? `bad status: ${answer.statusCode}`);
    },
  };
}

function pathOf({ group, version, namespace, resource, name, subresource }: Omit<RemoteRead, 'query'>): string {
  const segments = [...(namespace ? ['namespaces', namespace] : []), resource, name, subresource];
  const rest = segments.flatMap((each) => (each === undefined ? [] : encodeURIComponent(each)));
  return `/${[openApiPath({ group, version }), ...rest].join('/')}`;
}

/** Of a `Status`, or whatever else the server says. */
function messageIn(told: unknown): string | undefined {
  const { message } = (told ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : undefined;
}
