/** Whether a request may be served: superusers, then nodes, then roles, then whoever the room above asks. One that allows is enough. */
import type { Informers } from '../client/informer.ts';
import { forbiddenRequest } from './forbidden.ts';
import { createNodeAuthorizer } from './node-authorizer.ts';
import { createRbac, type Rbac } from './rbac/authorizer.ts';
import type { Attributes, Authorizer } from './user.ts';

export interface Authorization extends Authorizer {
  /** Throws `Forbidden` in upstream's words unless the request is allowed. */
  require(attributes: Attributes): Promise<void>;
  readonly rbac: Rbac;
}

export interface AuthorizationParts {
  /** The API server's own copies: a change is in them when the write that made it is answered. */
  readonly informers: Informers;
  /** `ClusterPorts.authorizers`. */
  readonly authorizers: readonly Authorizer[];
}

export function createAuthorization({ informers, authorizers }: AuthorizationParts): Authorization {
  const rbac = createRbac(informers);
  const all = [createNodeAuthorizer(informers), rbac, ...authorizers];

  async function authorize(attributes: Attributes) {
    // Upstream's `privilegedgroup` authoriser stands before all others, so that no broken binding locks the owner out.
    if (attributes.user.groups.includes('system:masters')) return { isAllowed: true, reason: '' };
    const reasons: string[] = [];
    for (const authorizer of all) {
      const { isAllowed, reason } = await authorizer.authorize(attributes);
      if (isAllowed) return { isAllowed, reason };
      if (reason) reasons.push(reason);
    }
    return { isAllowed: false, reason: reasons.join('\n') };
  }

  return {
    rbac,
    authorize,
    async require(attributes) {
      const { isAllowed, reason } = await authorize(attributes);
      if (!isAllowed) throw forbiddenRequest(attributes, reason);
    },
  };
}
