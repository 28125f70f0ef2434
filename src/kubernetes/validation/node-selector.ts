/** Where a pod may and should run: `pkg/apis/core/validation`, "validateAffinity", "ValidateTolerations", "validateTopologySpreadConstraints". */
import type { PodSpec } from '../types.ts';
import {
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  notSupported,
  oneOf,
  required,
  unique,
  when,
  type Errors,
} from './field.ts';
import { selectorErrors } from './metadata.ts';
import { dnsLabel, labelValue, qualifiedName } from './names.ts';

type Affinity = NonNullable<PodSpec['affinity']>;
type NodeSelector = NonNullable<
  NonNullable<Affinity['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>;
type NodeTerm = NodeSelector['nodeSelectorTerms'][number];
type PodTerm = NonNullable<
  NonNullable<Affinity['podAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>[number];
type Toleration = NonNullable<PodSpec['tolerations']>[number];
type Spread = NonNullable<PodSpec['topologySpreadConstraints']>[number];

const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

export function nodeSelectorErrors({ nodeSelectorTerms }: NodeSelector, field: string): Errors {
  return [
    ...when(!nodeSelectorTerms?.length, () =>
      required(`${field}.nodeSelectorTerms`, 'must have at least one node selector term'),
    ),
    ...each(nodeSelectorTerms, `${field}.nodeSelectorTerms`, nodeTermErrors),
  ];
}

function nodeTermErrors({ matchExpressions, matchFields }: NodeTerm, path: string): Errors {
  return [
    ...each(matchExpressions, `${path}.matchExpressions`, (expression, field) => [
      ...operatorErrors(expression, field),
      ...messagesOf(qualifiedName(expression.key ?? ''), `${field}.key`, expression.key),
      ...each(expression.values, `${field}.values`, (value, valuePath) =>
        messagesOf(labelValue(value), valuePath, value),
      ),
    ]),
    ...each(matchFields, `${path}.matchFields`, ({ key, operator, values }, field) => [
      ...(operator === 'In' || operator === 'NotIn'
        ? when(values?.length !== 1, () =>
            required(
              `${field}.values`,
              "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            ),
          )
        : [invalidValue(`${field}.operator`, operator, 'not a valid selector operator')]),
      ...when(key !== 'metadata.name', () => invalidValue(`${field}.key`, key, 'not a valid field selector key')),
    ]),
  ];
}

type Expression = NonNullable<NodeTerm['matchExpressions']>[number];

function operatorErrors({ operator, values }: Expression, field: string): Errors {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return when(!values?.length, () =>
        required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"),
      );
    case 'Exists':
    case 'DoesNotExist':
      return when(values?.length, () =>
        forbiddenField(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
    case 'Gt':
    case 'Lt':
      return when(values?.length !== 1, () =>
        required(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
      );
    default:
      return [invalidValue(`${field}.operator`, operator, 'not a valid selector operator')];
  }
}

export function affinityErrors(affinity: Affinity | undefined, field: string): Errors {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  const requiredNodes = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return [
    ...(requiredNodes
      ? nodeSelectorErrors(requiredNodes, `${field}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`)
      : []),
    ...each(
      nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution,
      `${field}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`,
      ({ weight, preference }, path) => [
        ...weightErrors(weight, path),
        ...nodeTermErrors(preference ?? {}, `${path}.preference`),
      ],
    ),
    ...podAffinityErrors(podAffinity, `${field}.podAffinity`),
    ...podAffinityErrors(podAntiAffinity, `${field}.podAntiAffinity`),
  ];
}

function podAffinityErrors(affinity: Affinity['podAffinity'], field: string): Errors {
  return [
    ...each(
      affinity?.requiredDuringSchedulingIgnoredDuringExecution,
      `${field}.requiredDuringSchedulingIgnoredDuringExecution`,
      podTermErrors,
    ),
    ...each(
      affinity?.preferredDuringSchedulingIgnoredDuringExecution,
      `${field}.preferredDuringSchedulingIgnoredDuringExecution`,
      ({ weight, podAffinityTerm }, path) => [
        ...weightErrors(weight, path),
        ...(podAffinityTerm
          ? podTermErrors(podAffinityTerm, `${path}.podAffinityTerm`)
          : [required(`${path}.podAffinityTerm`)]),
      ],
    ),
  ];
}

function podTermErrors({ topologyKey, labelSelector, namespaces, namespaceSelector }: PodTerm, path: string): Errors {
  return [
    ...selectorErrors(labelSelector, `${path}.labelSelector`),
    ...selectorErrors(namespaceSelector, `${path}.namespaceSelector`),
    ...each(namespaces, `${path}.namespaces`, (name) => messagesOf(dnsLabel(name), `${path}.namespace`, name)),
    ...(topologyKey
      ? messagesOf(qualifiedName(topologyKey), `${path}.topologyKey`, topologyKey)
      : [required(`${path}.topologyKey`, 'can not be empty')]),
  ];
}

function weightErrors(weight: number, path: string): Errors {
  return when(!(weight >= 1 && weight <= 100), () =>
    invalidValue(`${path}.weight`, weight, 'must be in the range 1-100'),
  );
}

export function tolerationErrors(tolerations: readonly Toleration[] | undefined, field: string): Errors {
  return each(tolerations, field, ({ key, operator, value, effect, tolerationSeconds }, path) => [
    ...(key ? messagesOf(qualifiedName(key), `${path}.key`, key) : []),
    ...when(!key && operator !== 'Exists', () =>
      invalidValue(
        `${path}.operator`,
        operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    ),
    ...when(tolerationSeconds !== undefined && effect !== 'NoExecute', () =>
      invalidValue(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"),
    ),
    ...(!operator || operator === 'Equal' ? messagesOf(labelValue(value ?? ''), `${path}.operator`, value) : []),
    ...when(operator === 'Exists' && value, () =>
      invalidValue(`${path}.operator`, { key, operator, value }, "value must be empty when `operator` is 'Exists'"),
    ),
    ...when(operator && operator !== 'Equal' && operator !== 'Exists', () =>
      notSupported(`${path}.operator`, operator, ['Equal', 'Exists']),
    ),
    ...oneOf(effect, `${path}.effect`, effects),
  ]);
}

export function taintErrors(
  taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[] | undefined,
  field: string,
): Errors {
  return [
    ...each(taints, field, ({ key, value, effect }, path) => [
      ...messagesOf(qualifiedName(key ?? ''), path, key),
      ...(value ? messagesOf(labelValue(value), path, value) : []),
      ...oneOf(effect, `${path}.effect`, effects, { isRequired: true }),
    ]),
    ...unique(taints, field, ({ key, effect }) => `${key}:${effect}`),
  ];
}

export function spreadErrors(constraints: readonly Spread[] | undefined, field: string): Errors {
  return [
    ...each(constraints, field, (constraint, path) => {
      const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
      return [
        ...when(!(maxSkew > 0), () => invalidValue(`${path}.maxSkew`, maxSkew, 'must be greater than zero')),
        ...(topologyKey
          ? messagesOf(qualifiedName(topologyKey), `${path}.topologyKey`, topologyKey)
          : [required(`${path}.topologyKey`, 'can not be empty')]),
        ...when(!['DoNotSchedule', 'ScheduleAnyway'].includes(whenUnsatisfiable), () =>
          notSupported(`${path}.whenUnsatisfiable`, whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway']),
        ),
        ...when(minDomains !== undefined && minDomains <= 0, () =>
          invalidValue(`${path}.minDomains`, minDomains, 'must be greater than zero'),
        ),
        ...when(minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule', () =>
          invalidValue(
            `${path}.minDomains`,
            minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
          ),
        ),
        ...oneOf(constraint.nodeAffinityPolicy, `${path}.nodeAffinityPolicy`, ['Honor', 'Ignore']),
        ...oneOf(constraint.nodeTaintsPolicy, `${path}.nodeTaintsPolicy`, ['Honor', 'Ignore']),
        ...selectorErrors(constraint.labelSelector, `${path}.labelSelector`),
      ];
    }),
    ...unique(constraints, field, ({ topologyKey, whenUnsatisfiable }) => `{${topologyKey}, ${whenUnsatisfiable}}`, {
      suffix: '.{topologyKey, whenUnsatisfiable}',
    }),
  ];
}
