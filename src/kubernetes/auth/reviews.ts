/** The kinds that ask about rights and identity, answered: `kubectl auth can-i`, `auth can-i --list`, `auth whoami`. Upstream: `registry/authorization`, `registry/authentication/selfsubjectreview`. */
import { invalid, type FieldError } from '../status.ts';
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '../types.ts';
import { wireUser } from './authenticate.ts';
import type { Authorization } from './authorization.ts';
import type { Attributes, UserInfo } from './user.ts';

const group = 'authorization.k8s.io';

type Spec = SubjectAccessReview['spec'];

export async function reviewSelfAccess(
  authorization: Authorization,
  review: SelfSubjectAccessReview,
  user: UserInfo,
): Promise<SelfSubjectAccessReview> {
  refuseInvalid('SelfSubjectAccessReview', attributeErrors(review.spec ?? {}));
  return { ...review, status: await statusOf(authorization, attributesOf(review.spec, user)) };
}

export async function reviewAccess(
  authorization: Authorization,
  review: SubjectAccessReview,
): Promise<SubjectAccessReview> {
  refuseInvalid('SubjectAccessReview', subjectErrors(review.spec ?? {}));
  return { ...review, status: await statusOf(authorization, attributesOf(review.spec, subjectOf(review.spec))) };
}

/** `namespace` is that of the request: the review may ask of no other. */
export async function reviewLocalAccess(
  authorization: Authorization,
  review: LocalSubjectAccessReview,
  namespace: string,
): Promise<LocalSubjectAccessReview> {
  const spec = review.spec ?? {};
  const errors = [...subjectErrors(spec)];
  if (spec.resourceAttributes?.namespace !== namespace)
    errors.push(
      invalidValue(
        'spec.resourceAttributes.namespace',
        spec.resourceAttributes?.namespace ?? '',
        `must match metadata.namespace`,
      ),
    );
  if (spec.nonResourceAttributes)
    errors.push(invalidValue('spec.nonResourceAttributes', '', 'disallowed on this kind of request'));
  refuseInvalid('LocalSubjectAccessReview', errors);
  return { ...review, status: await statusOf(authorization, attributesOf(spec, subjectOf(spec))) };
}

/** The rules that roles give the user in a namespace. Rights that do not come from roles are not in it, and `incomplete` says so. */
export async function reviewRules(
  authorization: Authorization,
  review: SelfSubjectRulesReview,
  user: UserInfo,
): Promise<SelfSubjectRulesReview> {
  const namespace = review.spec?.namespace;
  if (!namespace)
    throw invalid({ group, kind: 'SelfSubjectRulesReview' }, '', [
      { type: 'Required value', field: 'spec.namespace', message: 'Required value' },
    ]);
  const isSuperuser = user.groups.includes('system:masters');
  const { rules, problems } = await authorization.rbac.rulesFor(user, namespace);
  const resourceRules = rules.flatMap(({ nonResourceURLs: _paths, ...rule }) => (rule.resources?.length ? [rule] : []));
  const nonResourceRules = rules.flatMap(({ nonResourceURLs, verbs }) =>
    nonResourceURLs?.length ? [{ nonResourceURLs, verbs }] : [],
  );
  return {
    ...review,
    status: {
      resourceRules: isSuperuser
        ? [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }, ...resourceRules]
        : resourceRules,
      nonResourceRules: isSuperuser
        ? [{ nonResourceURLs: ['*'], verbs: ['*'] }, ...nonResourceRules]
        : nonResourceRules,
      incomplete: problems.length > 0,
      ...(problems.length > 0 && { evaluationError: problems.join(', ') }),
    },
  };
}

export function reviewSelf(review: SelfSubjectReview, user: UserInfo): SelfSubjectReview {
  return { ...review, status: { userInfo: wireUser(user) } };
}

async function statusOf(authorization: Authorization, attributes: Attributes) {
  const { isAllowed, reason } = await authorization.authorize(attributes);
  return { allowed: isAllowed, ...(reason && { reason }) };
}

function attributesOf({ resourceAttributes, nonResourceAttributes }: Spec, user: UserInfo): Attributes {
  if (!resourceAttributes) {
    const { verb = '', path = '' } = nonResourceAttributes ?? {};
    return { kind: 'path', user, verb, path };
  }
  const { verb = '', group = '', version = '', resource = '', subresource, namespace, name } = resourceAttributes;
  return {
    kind: 'resource',
    user,
    verb,
    group,
    version,
    resource,
    ...(subresource && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  };
}

function subjectOf({ user = '', uid, groups = [], extra }: Spec): UserInfo {
  return { username: user, groups, ...(uid && { uid }), ...(extra && { extra }) };
}

function subjectErrors(spec: Spec): FieldError[] {
  const errors = [...attributeErrors(spec)];
  if (!spec.user && !spec.groups?.length)
    errors.push(invalidValue('spec.user', '', 'at least one of user or group must be specified'));
  return errors;
}

function attributeErrors({
  resourceAttributes,
  nonResourceAttributes,
}: Pick<Spec, 'resourceAttributes' | 'nonResourceAttributes'>): FieldError[] {
  if (resourceAttributes && nonResourceAttributes)
    return [
      invalidValue(
        'spec.nonResourceAttributes',
        'nonResourceAttributes',
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  if (!resourceAttributes && !nonResourceAttributes)
    return [
      invalidValue(
        'spec.resourceAttributes',
        'null',
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    ];
  return [];
}

function invalidValue(field: string, value: string, why: string): FieldError {
  return {
    type: 'Invalid value',
    field,
    message: `Invalid value: ${value === 'null' ? value : JSON.stringify(value)}: ${why}`,
  };
}

function refuseInvalid(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group, kind }, '', errors);
}
