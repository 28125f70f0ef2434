/** How a refusal of authorisation is told. Upstream: `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`. */
import { forbidden, StatusError } from '../status.ts';
import type { Attributes } from './user.ts';

/** `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"`, followed by the authoriser's reason if it has one. */
export function forbiddenRequest(attributes: Attributes, reason: string): StatusError {
  const why = reason ? `${describe(attributes)}: ${reason}` : describe(attributes);
  if (attributes.kind === 'path') return new StatusError('Forbidden', `forbidden: ${why}`, { details: {} });
  return forbidden(attributes, attributes.name ? { name: attributes.name } : {}, why);
}

function describe(attributes: Attributes): string {
  const user = JSON.stringify(attributes.user.username);
  if (attributes.kind === 'path')
    return `User ${user} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}`;
  const { verb, group, resource, subresource, namespace } = attributes;
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  return `User ${user} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
}
