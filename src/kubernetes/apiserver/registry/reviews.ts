/** Questions that are posted and answered and never stored. */
import type { Resource } from '../resource.ts';
import { row } from './row.ts';

const verbs = ['create'] as const;

export const reviewRows: readonly Resource[] = [
  row('', 'Binding', 'bindings', { verbs }),
  row('authentication.k8s.io', 'TokenReview', 'tokenreviews', { verbs, isClusterWide: true }),
  row('authentication.k8s.io', 'SelfSubjectReview', 'selfsubjectreviews', { verbs, isClusterWide: true }),
  row('authorization.k8s.io', 'SubjectAccessReview', 'subjectaccessreviews', { verbs, isClusterWide: true }),
  row('authorization.k8s.io', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', { verbs, isClusterWide: true }),
  row('authorization.k8s.io', 'SelfSubjectRulesReview', 'selfsubjectrulesreviews', { verbs, isClusterWide: true }),
  row('authorization.k8s.io', 'LocalSubjectAccessReview', 'localsubjectaccessreviews', { verbs }),
];
