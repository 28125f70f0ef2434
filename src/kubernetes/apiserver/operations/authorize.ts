import type { Attributes, UserInfo } from '../../auth/user.ts';
import type { Target } from '../resource.ts';

/** What a call on a resource wants, as an authoriser is asked. */
export function attributesOf(
  { resource, version, subresource, namespace, name, user }: Target & { readonly user: UserInfo },
  verb: string,
): Attributes {
  return {
    kind: 'resource',
    user,
    verb,
    group: version.group,
    version: version.version,
    resource: resource.type.resource,
    ...(subresource !== undefined && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  };
}
