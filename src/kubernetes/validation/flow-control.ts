/** Priority and fairness, which every request goes through: `pkg/apis/flowcontrol/validation`. */
import type { FlowSchema, PriorityLevelConfiguration } from '../types.ts';
import {
  atLeastZero,
  each,
  type Errors,
  forbiddenField,
  invalidValue,
  oneOf,
  present,
  required,
  validatorOf,
  when,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';

type Rule = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];
type Subject = Rule['subjects'][number];
type Limited = NonNullable<NonNullable<PriorityLevelConfiguration['spec']>['limited']>;

const clusterWide = { isNamespaced: false, name: dnsSubdomain };
const mostPrecedence = 10_000;
const mostQueues = 10_000_000;
/** Of the hash that deals a flow its queues. */
const mostEntropyBits = 60;

export const validateFlowSchema = validatorOf<FlowSchema>((schema, old) => {
  const { matchingPrecedence = 0, distinguisherMethod, priorityLevelConfiguration, rules } = schema.spec ?? {};
  const field = 'spec.matchingPrecedence';
  return [
    ...metadataErrors(schema, old, clusterWide),
    ...when(matchingPrecedence <= 0, () => invalidValue(field, matchingPrecedence, 'must be a positive value')),
    ...when(matchingPrecedence > mostPrecedence, () =>
      invalidValue(field, matchingPrecedence, `must not be greater than ${mostPrecedence}`),
    ),
    ...when(matchingPrecedence === 1 && schema.metadata?.name !== 'exempt', () =>
      invalidValue(field, matchingPrecedence, "only the schema named 'exempt' may have matchingPrecedence 1"),
    ),
    ...(distinguisherMethod
      ? oneOf(distinguisherMethod.type, 'spec.distinguisherMethod.type', ['ByNamespace', 'ByUser'], {
          isRequired: true,
        })
      : []),
    ...when(!priorityLevelConfiguration?.name, () =>
      required('spec.priorityLevelConfiguration.name', 'must reference a priority level'),
    ),
    ...each(rules, 'spec.rules', ruleErrors),
  ];
});

function ruleErrors({ subjects, resourceRules = [], nonResourceRules = [] }: Rule, path: string): Errors {
  return [
    ...some(subjects, `${path}.subjects`, 'subjects must contain at least one value'),
    ...each(subjects, `${path}.subjects`, subjectErrors),
    ...when(!resourceRules.length && !nonResourceRules.length, () =>
      required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'),
    ),
    ...each(resourceRules, `${path}.resourceRules`, (rule, at) => [
      ...some(rule.verbs, `${at}.verbs`, 'verbs must contain at least one value'),
      ...some(rule.apiGroups, `${at}.apiGroups`, 'resource rules must supply at least one api group'),
      ...some(rule.resources, `${at}.resources`, 'resource rules must supply at least one resource'),
      ...when(!rule.namespaces?.length && !rule.clusterScope, () =>
        required(`${at}.namespaces`, 'resource rules that are not cluster scoped must supply at least one namespace'),
      ),
    ]),
    ...each(nonResourceRules, `${path}.nonResourceRules`, (rule, at) => [
      ...some(rule.verbs, `${at}.verbs`, 'verbs must contain at least one value'),
      ...some(rule.nonResourceURLs, `${at}.nonResourceURLs`, 'nonResourceURLs must contain at least one value'),
    ]),
  ];
}

function some(values: readonly unknown[] | undefined, field: string, detail: string): Errors {
  return when(!values?.length, () => required(field, detail));
}

/** The member that says who is meant, by the kind of subject. */
const members = { Group: 'group', ServiceAccount: 'serviceAccount', User: 'user' } as const;

function subjectErrors(subject: Subject, path: string): Errors {
  const wrong = oneOf(subject.kind, `${path}.kind`, Object.keys(members), { isRequired: true });
  if (wrong.length) return wrong;
  // It is one of them now.
  const kind = subject.kind as keyof typeof members;
  const own = members[kind];
  const named = present(subject[own]);
  return [
    ...when(!named, () => required(`${path}.${own}`, `${own} is required when subject kind is '${kind}'`)),
    ...when(named && !named.name, () => required(`${path}.${own}.name`)),
    ...when(kind === 'ServiceAccount' && named && !subject.serviceAccount?.namespace, () =>
      required(`${path}.${own}.namespace`, 'must specify namespace for service account'),
    ),
    ...Object.values(members).flatMap((other) =>
      when(other !== own && subject[other], () =>
        forbiddenField(`${path}.${other}`, `${other} is forbidden when subject kind is not '${kindOf(other)}'`),
      ),
    ),
  ];
}

function kindOf(member: string): string {
  return member[0]!.toUpperCase() + member.slice(1);
}

export const validatePriorityLevelConfiguration = validatorOf<PriorityLevelConfiguration>((level, old) => {
  const { type, limited } = level.spec ?? {};
  const isExempt = level.metadata?.name === 'exempt';
  return [
    ...metadataErrors(level, old, clusterWide),
    ...oneOf(type, 'spec.type', ['Exempt', 'Limited'], { isRequired: true }),
    ...when(isExempt !== (type === 'Exempt'), () =>
      invalidValue('spec.type', type, "type must be 'Exempt' if and only if name is 'exempt'"),
    ),
    ...when(type !== 'Limited' && limited, () =>
      forbiddenField('spec.limited', 'must be nil if the type is not Limited'),
    ),
    ...when(type === 'Limited' && !limited, () => required('spec.limited', 'must not be empty when type is Limited')),
    ...(limited ? limitedErrors(limited, 'spec.limited') : []),
  ];
});

function limitedErrors(limited: Limited, path: string): Errors {
  const { nominalConcurrencyShares, lendablePercent = 0, borrowingLimitPercent, limitResponse } = limited;
  const { type, queuing } = limitResponse ?? {};
  const response = `${path}.limitResponse`;
  return [
    ...atLeastZero(nominalConcurrencyShares, `${path}.nominalConcurrencyShares`),
    ...when(lendablePercent < 0 || lendablePercent > 100, () =>
      invalidValue(`${path}.lendablePercent`, lendablePercent, 'must be between 0 and 100, inclusive'),
    ),
    ...atLeastZero(borrowingLimitPercent, `${path}.borrowingLimitPercent`),
    ...oneOf(type, `${response}.type`, ['Queue', 'Reject'], { isRequired: true }),
    ...when(type !== 'Queue' && queuing, () =>
      forbiddenField(`${response}.queuing`, 'must be nil if limited.limitResponse.type is not Limited'),
    ),
    ...when(type === 'Queue' && !queuing, () =>
      required(`${response}.queuing`, 'must not be empty if limited.limitResponse.type is Limited'),
    ),
    ...(queuing ? queuingErrors(queuing, `${response}.queuing`) : []),
  ];
}

function queuingErrors(queuing: NonNullable<NonNullable<Limited['limitResponse']>['queuing']>, path: string): Errors {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  const positive = Object.entries({ queueLengthLimit, queues, handSize }).flatMap(([name, value]) =>
    when(value <= 0, () => invalidValue(`${path}.${name}`, value, 'must be positive')),
  );
  return [
    ...positive,
    ...when(queues > mostQueues, () =>
      invalidValue(`${path}.queues`, queues, `must not be greater than ${mostQueues}`),
    ),
    ...when(handSize > queues, () =>
      invalidValue(`${path}.handSize`, handSize, `should not be greater than queues (${queues})`),
    ),
    ...when(entropyBits(queues, handSize) > mostEntropyBits, () =>
      invalidValue(
        `${path}.handSize`,
        handSize,
        `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${mostEntropyBits}`,
      ),
    ),
  ];
}

/** `util/shufflesharding`, "RequiredEntropyBits"; no further than is too many. */
function entropyBits(queues: number, handSize: number): number {
  if (handSize <= 0 || handSize > queues) return 0;
  let bits = 0;
  for (let dealt = 0; dealt < handSize && bits <= mostEntropyBits; dealt += 1) bits += Math.log2(queues - dealt);
  return Math.ceil(bits);
}
