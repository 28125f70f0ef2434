/** What is posted and answered rather than stored: bindings, evictions, tokens, reviews. */
import { requestToken } from '../../auth/token-request.ts';
import { reviewAccess, reviewLocalAccess, reviewRules, reviewSelf, reviewSelfAccess } from '../../auth/reviews.ts';
import type { GroupVersionKind, KubernetesObject } from '../../object.ts';
import { StatusError } from '../../status.ts';
import type {
  Binding,
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  TokenRequest,
  TokenReview,
} from '../../types.ts';
import type { ApiParts, Call, NamedCall } from '../parts.ts';
import { bind } from './bind.ts';
import { evict } from './evict.ts';
import { admit } from './write.ts';

type Handler = (parts: ApiParts, call: Call, body: KubernetesObject) => Promise<KubernetesObject>;

/** A body is of the kind that its URL says, by the decoder; so each handler may take it as that. */
const handlers: { readonly [path: string]: Handler } = {
  'pods/binding': (parts, call, body) => bind(parts, named(call), body as Binding),
  bindings: (parts, call, body) => {
    const served = parts.catalog.find({ group: '', version: 'v1' }, 'pods')!;
    return bind(parts, { ...call, ...served, name: body.metadata?.name ?? '' }, body as Binding);
  },
  'pods/eviction': (parts, call, body) => evict(parts, named(call), body),
  'serviceaccounts/token': ({ admin, tokens }, call, body) =>
    requestToken(
      { client: admin, tokens },
      { namespace: call.namespace!, name: named(call).name },
      body as TokenRequest,
    ),
  tokenreviews: ({ authentication }, { signal }, body) => authentication.reviewToken(body as TokenReview, signal),
  selfsubjectreviews: async (_parts, { user }, body) => reviewSelf(body, user),
  selfsubjectaccessreviews: ({ authorization }, { user }, body) =>
    reviewSelfAccess(authorization, body as SelfSubjectAccessReview, user),
  selfsubjectrulesreviews: ({ authorization }, { user }, body) =>
    reviewRules(authorization, body as SelfSubjectRulesReview, user),
  subjectaccessreviews: ({ authorization }, _call, body) => reviewAccess(authorization, body as SubjectAccessReview),
  localsubjectaccessreviews: ({ authorization }, { namespace }, body) =>
    reviewLocalAccess(authorization, body as LocalSubjectAccessReview, namespace!),
};

/** Kinds that are stored in the ordinary way have no handler. */
export function isPosted({ resource, subresource }: Call): boolean {
  return Object.hasOwn(handlers, pathOf(resource.type.resource, subresource));
}

function pathOf(resource: string, subresource: string | undefined): string {
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

/** The kind of body that is posted. */
export function postedKind({ resource, version, subresource }: Call): GroupVersionKind {
  const part = subresource === undefined ? undefined : resource.subresources.get(subresource);
  return part?.kind === 'post' ? part.bodyType : version;
}

/** Throws `MethodNotAllowed` for what takes no POST. */
export async function post(parts: ApiParts, call: Call, body: KubernetesObject): Promise<KubernetesObject> {
  const handler = handlers[pathOf(call.resource.type.resource, call.subresource)];
  if (!handler || !isPosted(call))
    throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
  await admit(parts, call, { operation: 'CREATE', name: call.name ?? '', object: body, oldObject: undefined });
  return handler(parts, call, body);
}

function named(call: Call): NamedCall {
  if (!call.name) throw new StatusError('BadRequest', 'the name of the object is missing');
  return { ...call, name: call.name };
}
