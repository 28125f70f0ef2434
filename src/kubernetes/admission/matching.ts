/** Which requests a webhook or a policy is about: rules, and selectors of namespace and object. Upstream: `apiserver/pkg/admission/plugin/webhook/predicates`. */
import type { AdmissionRequest } from '../auth/user.ts';
import { namespaces } from '../resources.ts';
import { labelSelectorOf, matches } from '../selector.ts';
import type { LabelSelector, Namespace, ValidatingAdmissionPolicy } from '../types.ts';
import { isOf } from './plugin.ts';

export type MatchResources = NonNullable<NonNullable<ValidatingAdmissionPolicy['spec']>['matchConstraints']>;
export type Rule = NonNullable<MatchResources['resourceRules']>[number];

/** What is configured here decides about everything else, and about itself never: otherwise nobody could take back a mistake. */
const exempt = new Set([
  'mutatingwebhookconfigurations',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'validatingwebhookconfigurations',
]);

export function isExempt({ type }: AdmissionRequest): boolean {
  return type.group === 'admissionregistration.k8s.io' && exempt.has(type.resource);
}

export function matchesRule(rule: Rule, request: AdmissionRequest): boolean {
  const { type, operation, name } = request;
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, type.group) &&
    has(rule.apiVersions, type.version) &&
    (rule.scope === undefined || rule.scope === '*' || (rule.scope === 'Namespaced') === type.isNamespaced) &&
    !!rule.resources?.some((pattern) => matchesResource(pattern, request)) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(name))
  );
}

// `pods`, `pods/log`, `pods/*`, `*`, `*/scale`: without a slash, objects themselves alone.
function matchesResource(pattern: string, { type, subresource = '' }: AdmissionRequest): boolean {
  const [resource, part = ''] = pattern.split('/');
  return (resource === '*' || resource === type.resource) && (part === subresource || part === '*');
}

function has(values: readonly string[] | undefined, value: string): boolean {
  return !!values && (values.includes('*') || values.includes(value));
}

export interface Selectors {
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

/** A namespace is chosen by its own labels; other objects without one always are. The object is chosen as it was or as it will be. */
export function isSelected(
  { namespaceSelector, objectSelector }: Selectors,
  request: AdmissionRequest,
  home: Namespace | undefined,
): boolean {
  const { type, object, oldObject } = request;
  const place = isOf(type, namespaces) ? (object ?? oldObject) : home;
  if (namespaceSelector && place && !matches(labelSelectorOf(namespaceSelector), place.metadata?.labels)) return false;
  if (!objectSelector || isEmpty(objectSelector)) return true;
  const selector = labelSelectorOf(objectSelector);
  return [object, oldObject].some((one) => one && matches(selector, one.metadata?.labels));
}

function isEmpty({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels ?? {}).length === 0 && !matchExpressions?.length;
}

/** A policy's, or a binding's, whole choice. */
export function matchesResources(
  wanted: MatchResources | undefined,
  request: AdmissionRequest,
  home: Namespace | undefined,
): boolean {
  if (!wanted) return true;
  const { resourceRules, excludeResourceRules } = wanted;
  if (excludeResourceRules?.some((rule) => matchesRule(rule, request))) return false;
  if (resourceRules?.length && !resourceRules.some((rule) => matchesRule(rule, request))) return false;
  return isSelected(wanted, request, home);
}
