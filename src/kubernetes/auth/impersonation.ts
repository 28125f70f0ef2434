/** Acting as someone else by `Impersonate-…` headers. Upstream: `apiserver/pkg/endpoints/filters/impersonation`. */
import { isUtf8 } from 'node:buffer';
import { StatusError } from '../status.ts';
import type { Authorization } from './authorization.ts';
import { authenticated } from './authenticate.ts';
import { serviceAccountOf } from './service-account-tokens.ts';
import type { UserInfo } from './user.ts';

/** Header names in lower case, each value of a repeated header an element: `IncomingMessage.headersDistinct`. */
export type Headers = { readonly [name: string]: readonly string[] | undefined };

const extraPrefix = 'impersonate-extra-';

/** The user the request is to be served as: `user` itself without such headers. Throws `Forbidden` for a right to impersonate that is lacking, `BadRequest` for what is no text, `InternalError` for half a request. */
export async function impersonate(
  authorization: Pick<Authorization, 'require'>,
  user: UserInfo,
  headers: Headers,
): Promise<UserInfo> {
  const [username] = valuesOf(headers, 'impersonate-user');
  const [uid] = valuesOf(headers, 'impersonate-uid');
  const groups = valuesOf(headers, 'impersonate-group');
  const extra = extraOf(headers);
  if (!username) {
    if (groups.length === 0 && !uid && Object.keys(extra).length === 0) return user;
    throw new StatusError('InternalError', `requested groups, uid or extra without impersonating a user`);
  }
  const account = serviceAccountOf(username);
  const may = (resource: string, name: string, more: object = {}) =>
    authorization.require({
      kind: 'resource',
      user,
      verb: 'impersonate',
      group: '',
      version: 'v1',
      resource,
      name,
      ...more,
    });
  if (account) await may('serviceaccounts', account.name, { namespace: account.namespace });
  else await may('users', username);
  for (const group of groups) await may('groups', group);
  const inAuthentication = { group: 'authentication.k8s.io', version: 'v1' };
  for (const [key, values] of Object.entries(extra))
    for (const value of values) await may('userextras', value, { ...inAuthentication, subresource: key });
  if (uid) await may('uids', uid, inAuthentication);

  const ownGroups = account && groups.length === 0 ? serviceAccountGroups(account.namespace) : groups;
  if (username === 'system:anonymous' && groups.length === 0) return { username, groups: ['system:unauthenticated'] };
  return authenticated({
    username,
    groups: ownGroups,
    ...(uid && { uid }),
    ...(Object.keys(extra).length > 0 && { extra }),
  });
}

function serviceAccountGroups(namespace: string): readonly string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
}

/** Keys are percent-encoded, being header names; a broken encoding stands for itself, as upstream lets it. */
function extraOf(headers: Headers): { readonly [key: string]: readonly string[] } {
  const names = Object.keys(headers).filter((name) => name.startsWith(extraPrefix));
  const byKey = Map.groupBy(names, (name) => unescape(name.slice(extraPrefix.length)));
  return Object.fromEntries(
    [...byKey].map(([key, spelled]) => [key, spelled.flatMap((name) => valuesOf(headers, name))] as const),
  );
}

/** Values are UTF-8 as they are: Node gives each byte as a character, upstream's language takes them for text. */
function valuesOf(headers: Headers, name: string): readonly string[] {
  return (headers[name] ?? []).map((value) => {
    const bytes = Buffer.from(value, 'latin1');
    if (isUtf8(bytes)) return bytes.toString();
    throw new StatusError('BadRequest', `the header ${name} is not UTF-8`);
  });
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
