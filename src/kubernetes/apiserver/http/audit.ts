/** The audit log: a line for each request that was answered, of level Metadata. Shape: `audit.k8s.io/v1`, Kubernetes documentation, "Auditing". */
import { wireUser } from '../../auth/authenticate.ts';
import type { Decision, UserInfo } from '../../auth/user.ts';
import type { ApiParts } from '../parts.ts';
import type { Exchange } from './exchange.ts';

/** What a request was when it came. */
export interface Received {
  readonly at: number;
  readonly auditId: string;
  /** Who proved to be asking, before speaking as another. */
  caller?: UserInfo;
}

/** Probes of a control plane ask for these all the time: upstream's sample policy leaves them out too. */
const quiet = /^\/(healthz|livez|readyz|version)(\/|$)/;

export function audit({ logs, clock }: ApiParts, exchange: Exchange, { at, auditId, caller }: Received): void {
  if (!logs?.wants('audit')) return;
  const { request, response, info, user, decision } = exchange;
  if (info.kind === 'path' && quiet.test(info.path)) return;
  const isOther = caller !== undefined && caller !== user;
  const event = {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: auditId,
    stage: 'ResponseComplete',
    requestURI: request.url ?? '/',
    verb: info.verb,
    user: wireUser(caller ?? user),
    ...(isOther && { impersonatedUser: wireUser(user) }),
    sourceIPs: [request.socket.remoteAddress ?? ''],
    userAgent: request.headers['user-agent'] ?? '',
    ...(info.kind === 'resource' && { objectRef: objectRef(info, exchange.createdName) }),
    responseStatus: { metadata: {}, code: response.statusCode },
    requestReceivedTimestamp: microTime(at),
    stageTimestamp: microTime(clock.now()),
    ...(decision && { annotations: annotationsOf(decision) }),
  };
  logs.write('audit', JSON.stringify(event));
}

/** Upstream: apiserver `endpoints/filters/authorization.go`. Who was refused before it came to that (an unknown token, a right to impersonate that is lacking) has none. */
function annotationsOf({ isAllowed, reason }: Decision): { readonly [name: string]: string } {
  return {
    'authorization.k8s.io/decision': isAllowed ? 'allow' : 'forbid',
    'authorization.k8s.io/reason': reason,
  };
}

function objectRef(info: Extract<Exchange['info'], { kind: 'resource' }>, createdName: string | undefined) {
  const { resource, namespace, groupVersion, subresource } = info;
  const name = info.name ?? createdName;
  return {
    resource,
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(groupVersion.group && { apiGroup: groupVersion.group }),
    apiVersion: groupVersion.version,
    ...(subresource && { subresource }),
  };
}

function microTime(at: number): string {
  return new Date(at).toISOString().replace('Z', '000Z');
}
