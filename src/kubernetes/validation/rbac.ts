/** Roles and bindings: `pkg/apis/rbac/validation`. */
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../types.ts';
import {
  each,
  invalidValue,
  messagesOf,
  notSupported,
  present,
  required,
  same,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { dnsLabel, dnsSubdomain, pathSegmentName } from './names.ts';

const namespaced = { isNamespaced: true, name: pathSegmentName };
const clusterWide = { isNamespaced: false, name: pathSegmentName };
const apiGroup = 'rbac.authorization.k8s.io';

export const validateRole = validatorOf<Role>((role, old) => [
  ...metadataErrors(role, old, namespaced),
  ...ruleErrors(role.rules, { isNamespaced: true }),
]);

export const validateClusterRole = validatorOf<ClusterRole>((role, old) => {
  const selectors = role.aggregationRule?.clusterRoleSelectors;
  return [
    ...metadataErrors(role, old, clusterWide),
    ...ruleErrors(role.rules, { isNamespaced: false }),
    ...when(role.aggregationRule && !selectors?.length, () =>
      required(
        'aggregationRule.clusterRoleSelectors',
        'at least one clusterRoleSelector required if aggregationRule is non-nil',
      ),
    ),
    ...each(selectors, 'aggregationRule.clusterRoleSelectors', (selector, path) => selectorErrors(selector, path)),
  ];
});

export const validateRoleBinding = validatorOf<RoleBinding>((binding, old) => [
  ...metadataErrors(binding, old, namespaced),
  ...referenceErrors(binding, ['ClusterRole', 'Role']),
  ...each(binding.subjects, 'subjects', (subject, path) => subjectErrors(subject, path)),
  ...roleUpdateErrors(binding, old),
]);

export const validateClusterRoleBinding = validatorOf<ClusterRoleBinding>((binding, old) => [
  ...metadataErrors(binding, old, clusterWide),
  ...referenceErrors(binding, ['ClusterRole']),
  ...each(binding.subjects, 'subjects', (subject, path) => [
    ...subjectErrors(subject, path),
    ...when(subject.kind === 'ServiceAccount' && !subject.namespace, () => required(`${path}.namespace`)),
  ]),
  ...roleUpdateErrors(binding, old),
]);

function ruleErrors(rules: Role['rules'], { isNamespaced }: { readonly isNamespaced: boolean }): Errors {
  return each(rules, 'rules', (rule, path) => {
    const verbs = when(!rule.verbs?.length, () => required(`${path}.verbs`, 'verbs must contain at least one value'));
    if (rule.nonResourceURLs?.length)
      return [
        ...verbs,
        ...when(isNamespaced, () =>
          invalidValue(
            `${path}.nonResourceURLs`,
            rule.nonResourceURLs,
            'namespaced rules cannot apply to non-resource URLs',
          ),
        ),
        ...when(rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length, () =>
          invalidValue(
            `${path}.nonResourceURLs`,
            rule.nonResourceURLs,
            'rules cannot apply to both regular resources and non-resource URLs',
          ),
        ),
      ];
    return [
      ...verbs,
      ...when(!rule.apiGroups?.length, () =>
        required(`${path}.apiGroups`, 'resource rules must supply at least one api group'),
      ),
      ...when(!rule.resources?.length, () =>
        required(`${path}.resources`, 'resource rules must supply at least one resource'),
      ),
    ];
  });
}

function referenceErrors({ roleRef }: RoleBinding, kinds: readonly string[]): Errors {
  const { apiGroup: group, kind, name } = present(roleRef) ?? { apiGroup: '', kind: '', name: '' };
  return [
    ...when(group !== apiGroup, () => notSupported('roleRef.apiGroup', group, [apiGroup])),
    ...when(!kinds.includes(kind), () => notSupported('roleRef.kind', kind, kinds)),
    ...(name ? messagesOf(pathSegmentName(name), 'roleRef.name', name) : [required('roleRef.name')]),
  ];
}

type Subject = NonNullable<RoleBinding['subjects']>[number];

function subjectErrors({ kind, name, namespace, apiGroup: group = '' }: Subject, path: string): Errors {
  const named = when(!name, () => required(`${path}.name`));
  switch (kind) {
    case 'ServiceAccount':
      return [
        ...named,
        ...(name ? messagesOf(dnsSubdomain(name), `${path}.name`, name) : []),
        ...(namespace ? messagesOf(dnsLabel(namespace), `${path}.namespace`, namespace) : []),
        ...when(group !== '', () => notSupported(`${path}.apiGroup`, group, [''])),
      ];
    case 'User':
    case 'Group':
      return [
        ...named,

        ...when(group !== apiGroup, () => notSupported(`${path}.apiGroup`, group, [apiGroup])),
      ];
    default:
      return [...named, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  }
}

/** A binding that is to give another role is another binding. */
function roleUpdateErrors({ roleRef }: RoleBinding, old: RoleBinding | undefined): Errors {
  return when(old && !same(roleRef, old.roleRef), () => invalidValue('roleRef', roleRef, 'cannot change roleRef'));
}
