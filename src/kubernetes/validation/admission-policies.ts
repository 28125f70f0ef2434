/** Validating admission policies and their bindings: `pkg/apis/admissionregistration/validation`. */
import { expressionProblem } from '../admission/policies/program.ts';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../types.ts';
import {
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  oneOf,
  required,
  tooMany,
  unique,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { dnsSubdomain, qualifiedName } from './names.ts';

const clusterWide = { isNamespaced: false, name: dnsSubdomain };

type Match = NonNullable<NonNullable<ValidatingAdmissionPolicy['spec']>['matchConstraints']>;

export const validateValidatingAdmissionPolicy = validatorOf<ValidatingAdmissionPolicy>((policy, old) => {
  const spec = policy.spec;
  return [
    ...metadataErrors(policy, old, clusterWide),
    ...oneOf(spec?.failurePolicy, 'spec.failurePolicy', ['Fail', 'Ignore']),
    ...(spec?.paramKind
      ? [
          ...when(!spec.paramKind.apiVersion, () => required('spec.paramKind.apiVersion')),
          ...when(!spec.paramKind.kind, () => required('spec.paramKind.kind')),
        ]
      : []),
    ...(spec?.matchConstraints
      ? [
          ...when(!spec.matchConstraints.resourceRules?.length, () => required('spec.matchConstraints.resourceRules')),
          ...matchErrors(spec.matchConstraints, 'spec.matchConstraints'),
        ]
      : [required('spec.matchConstraints')]),
    ...conditionErrors(spec?.matchConditions, 'spec.matchConditions'),
    ...each(spec?.variables, 'spec.variables', ({ name, expression }, path) => [
      ...when(!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name ?? ''), () =>
        invalidValue(`${path}.name`, name, 'name is not a valid CEL identifier'),
      ),
      ...expressionErrors(expression, `${path}.expression`),
    ]),
    ...when(!spec?.validations?.length && !spec?.auditAnnotations?.length, () =>
      required('spec.validations', 'validations or auditAnnotations must be non-empty'),
    ),
    ...each(spec?.validations, 'spec.validations', ({ expression, message, messageExpression, reason }, path) => [
      ...expressionErrors(expression, `${path}.expression`),
      ...(messageExpression ? expressionErrors(messageExpression, `${path}.messageExpression`) : []),
      ...when(message?.includes('\n'), () =>
        invalidValue(`${path}.message`, message, 'message must not contain line breaks'),
      ),
      ...when(expression?.includes('\n') && !message, () =>
        required(`${path}.message`, 'message must be specified if expression contains line breaks'),
      ),
      ...oneOf(reason, `${path}.reason`, ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized']),
    ]),
  ];
});

type Conditions = NonNullable<ValidatingAdmissionPolicy['spec']>['matchConditions'];

const maxConditions = 64;

/** Conditions on the request, of a policy or a webhook. */
export function conditionErrors(conditions: Conditions, field: string): Errors {
  return [
    ...when((conditions?.length ?? 0) > maxConditions, () => tooMany(field, conditions!.length, maxConditions)),
    ...each(conditions, field, ({ name, expression }, path) => [
      ...(name ? messagesOf(qualifiedName(name), `${path}.name`, name) : [required(`${path}.name`)]),
      ...expressionErrors(expression, `${path}.expression`),
    ]),
    ...unique(conditions, field, ({ name }) => name, { suffix: '.name' }),
  ];
}

function expressionErrors(expression: string | undefined, field: string): Errors {
  if (!expression?.trim()) return [required(field, 'expression is not specified')];
  const problem = expressionProblem(expression);
  return when(problem, () => invalidValue(field, expression, problem!));
}

function matchErrors(
  { resourceRules, excludeResourceRules, namespaceSelector, objectSelector, matchPolicy }: Match,
  field: string,
): Errors {
  const ruleErrors = (rule: NonNullable<typeof resourceRules>[number], path: string): Errors => [
    ...when(!rule.apiGroups?.length, () => required(`${path}.apiGroups`)),
    ...when(!rule.apiVersions?.length, () => required(`${path}.apiVersions`)),
    ...when(!rule.resources?.length, () => required(`${path}.resources`)),
    ...when(!rule.operations?.length, () => required(`${path}.operations`)),
    ...each(rule.operations, `${path}.operations`, (operation, at) =>
      oneOf(operation, at, ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']),
    ),
    ...oneOf(rule.scope, `${path}.scope`, ['*', 'Cluster', 'Namespaced']),
  ];
  return [
    ...selectorErrors(namespaceSelector, `${field}.namespaceSelector`),
    ...selectorErrors(objectSelector, `${field}.objectSelector`),
    ...oneOf(matchPolicy, `${field}.matchPolicy`, ['Equivalent', 'Exact']),
    ...each(resourceRules, `${field}.resourceRules`, ruleErrors),
    ...each(excludeResourceRules, `${field}.excludeResourceRules`, ruleErrors),
  ];
}

export const validateValidatingAdmissionPolicyBinding = validatorOf<ValidatingAdmissionPolicyBinding>(
  (binding, old) => {
    const { policyName, paramRef, matchResources, validationActions = [] } = binding.spec ?? {};
    return [
      ...metadataErrors(binding, old, clusterWide),
      ...(policyName
        ? messagesOf(dnsSubdomain(policyName), 'spec.policyName', policyName)
        : [required('spec.policyName')]),
      ...(paramRef
        ? [
            ...when(!paramRef.name && !paramRef.selector, () =>
              required('spec.paramRef', 'one of name or selector must be specified'),
            ),
            ...when(paramRef.name && paramRef.selector, () =>
              forbiddenField('spec.paramRef.name', 'name and selector are mutually exclusive'),
            ),
            ...oneOf(paramRef.parameterNotFoundAction, 'spec.paramRef.parameterNotFoundAction', ['Allow', 'Deny'], {
              isRequired: true,
            }),
          ]
        : []),
      ...(matchResources ? matchErrors(matchResources, 'spec.matchResources') : []),
      ...when(validationActions.length === 0, () =>
        required('spec.validationActions', 'at least one validation action is required'),
      ),
      ...each(validationActions, 'spec.validationActions', (action, path) =>
        oneOf(action, path, ['Audit', 'Deny', 'Warn']),
      ),
      ...unique(validationActions, 'spec.validationActions', (action) => action),
      ...when(validationActions.includes('Deny') && validationActions.includes('Warn'), () =>
        invalidValue(
          'spec.validationActions',
          validationActions,
          'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
        ),
      ),
    ];
  },
);
