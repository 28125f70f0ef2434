import type { AccessEntry, AccessScope, AssociatedAccessPolicy } from '@aws-sdk/client-eks';
import { isArn, parseArn } from '#base';
import type { Versioned } from '#store';
import type { Principal } from '../auth/index.ts';
import type { CallContext, Handlers } from '../service.ts';
import { accessPolicy, CLUSTER_ADMIN_POLICY, listAccessPolicies } from './access-policies.ts';
import { findActiveCluster, findCluster } from './find-cluster.ts';
import { accessEntryArn, idIn, inUse, invalidParameter, invalidRequest, notFound, notSupported } from './names.ts';
import { pageOf } from './pages.ts';
import type { AccessEntryRecord, AssociatedPolicy, ClusterRecord } from './records.ts';
import type { EksState } from './state.ts';
import { tagsOf } from './tags.ts';

const types = ['STANDARD', 'EC2_LINUX', 'EC2_WINDOWS', 'FARGATE_LINUX'] as const;

/** Name and groups that an entry gives where the caller says none: Amazon EKS User Guide, "Create access entries". */
const nodeIdentity = { username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:nodes'] };

function defaultUsername(principalArn: string): string {
  const { account, resource } = parseArn(principalArn);
  if (!resource.startsWith('role/')) return principalArn;
  return `arn:aws:sts::${account}:assumed-role/${resource.split('/').at(-1)}/{{SessionName}}`;
}

type NewEntry = Pick<AccessEntryRecord, 'account' | 'region' | 'cluster' | 'principalArn'> & Partial<AccessEntryRecord>;

/** An entry as it is when nobody says more. */
export function newAccessEntry(
  { random, clock }: Pick<EksState, 'random' | 'clock'>,
  entry: NewEntry,
): AccessEntryRecord {
  const isNode = entry.type !== undefined && entry.type !== 'STANDARD';
  const now = clock.now();
  return {
    id: random.uuid(),
    type: 'STANDARD',
    username: isNode ? nodeIdentity.username : defaultUsername(entry.principalArn),
    groups: isNode ? nodeIdentity.groups : [],
    policies: [],
    tags: {},
    createdAt: now,
    modifiedAt: now,
    ...entry,
  };
}

/** The entry that makes the creator of a cluster its administrator, unless the request said no. */
export function creatorEntry(
  state: Pick<EksState, 'random' | 'clock'>,
  cluster: ClusterRecord,
  principal: Principal,
): AccessEntryRecord | undefined {
  const principalArn = principal.kind === 'anonymous' ? undefined : entryArnOf(principal);
  if (!cluster.bootstrapsCreator || principalArn === undefined) return undefined;
  const now = state.clock.now();
  return newAccessEntry(state, {
    account: cluster.account,
    region: cluster.region,
    cluster: cluster.name,
    principalArn,
    policies: [
      {
        policyArn: CLUSTER_ADMIN_POLICY,
        scope: { type: 'cluster', namespaces: [] },
        associatedAt: now,
        modifiedAt: now,
      },
    ],
  });
}

/** The IAM identity by which entries name a caller: its role for a session, itself otherwise. */
export function entryArnOf(principal: Exclude<Principal, { kind: 'anonymous' }>): string {
  return principal.kind === 'assumed-role' ? principal.roleArn : principal.arn;
}

function toEntry(record: AccessEntryRecord): AccessEntry {
  return {
    clusterName: record.cluster,
    principalArn: record.principalArn,
    kubernetesGroups: [...record.groups],
    accessEntryArn: accessEntryArn(record, record.principalArn, record.id),
    createdAt: new Date(record.createdAt),
    modifiedAt: new Date(record.modifiedAt),
    tags: { ...record.tags },
    username: record.username,
    type: record.type,
  };
}

function toAssociated({ policyArn, scope, associatedAt, modifiedAt }: AssociatedPolicy): AssociatedAccessPolicy {
  return {
    policyArn,
    accessScope: { type: scope.type, namespaces: [...scope.namespaces] },
    associatedAt: new Date(associatedAt),
    modifiedAt: new Date(modifiedAt),
  };
}

export function accessEntryHandlers(state: EksState) {
  const { accessEntries, clock } = state;

  async function find(
    context: CallContext,
    input: { readonly clusterName?: string | undefined; readonly principalArn?: string | undefined },
  ): Promise<Versioned<AccessEntryRecord>> {
    const { value: cluster } = await findCluster(state, context, input.clusterName);
    checkMode(cluster);
    const seen = await accessEntries.get(idIn({ ...cluster, cluster: cluster.name }, input.principalArn ?? ''));
    if (!seen)
      throw notFound(
        `The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.`,
      );
    return seen;
  }

  return {
    async CreateAccessEntry(input, context) {
      const { value: cluster } = await findActiveCluster(state, context, input.clusterName);
      checkMode(cluster);
      const principalArn = checkPrincipal(input.principalArn!);
      const type = checkType(input.type);
      checkGroups(input.kubernetesGroups);
      if (type !== 'STANDARD' && (input.kubernetesGroups?.length || input.username))
        throw invalidParameter(`An access entry of type ${type} takes neither a username nor groups.`);
      const record = newAccessEntry(state, {
        account: cluster.account,
        region: cluster.region,
        cluster: cluster.name,
        principalArn,
        type,
        ...(input.username && { username: checkUsername(input.username) }),
        ...(input.kubernetesGroups && { groups: input.kubernetesGroups }),
        tags: tagsOf(input.tags),
      });
      const output = { accessEntry: toEntry(record) };
      const { succeeded } = await state.store.txn({
        compare: [accessEntries.ifAbsent(idIn(record, principalArn))],
        success: [accessEntries.put(idIn(record, principalArn), record), ...context.remember(output)],
      });
      if (!succeeded) throw inUse(`The specified access entry resource is already in use on this cluster.`);
      return output;
    },

    async DescribeAccessEntry(input, context) {
      return { accessEntry: toEntry((await find(context, input)).value) };
    },

    async ListAccessEntries(input, context) {
      const { value: cluster } = await findCluster(state, context, input.clusterName);
      checkMode(cluster);
      const all = (await accessEntries.list(idIn({ ...cluster, cluster: cluster.name }, ''))).map(({ value }) => value);
      const rows = all.filter(
        ({ policies }) =>
          !input.associatedPolicyArn || policies.some(({ policyArn }) => policyArn === input.associatedPolicyArn),
      );
      const { items, nextToken } = pageOf(rows, ({ principalArn }) => principalArn, input);
      return { accessEntries: items.map(({ principalArn }) => principalArn), nextToken };
    },

    async UpdateAccessEntry(input, context) {
      const seen = await find(context, input);
      checkGroups(input.kubernetesGroups);
      if (seen.value.type !== 'STANDARD' && (input.username || input.kubernetesGroups?.length))
        throw invalidParameter(`An access entry of type ${seen.value.type} takes neither a username nor groups.`);
      const { value } = await accessEntries.update(seen.id, (record) => ({
        ...record,
        ...(input.username && { username: checkUsername(input.username) }),
        ...(input.kubernetesGroups && { groups: input.kubernetesGroups }),
        modifiedAt: clock.now(),
      }));
      return { accessEntry: toEntry(value) };
    },

    async DeleteAccessEntry(input, context) {
      const seen = await find(context, input);
      await accessEntries.delete(seen.id);
      return {};
    },

    async AssociateAccessPolicy(input, context) {
      const seen = await find(context, input);
      const policyArn = input.policyArn!;
      if (!accessPolicy(policyArn)) throw unknownPolicy(policyArn);
      if (seen.value.type !== 'STANDARD')
        throw invalidRequest(`Access policies cannot be associated with an access entry of type ${seen.value.type}.`);
      const scope = checkScope(input.accessScope);
      const now = clock.now();
      const { value } = await accessEntries.update(seen.id, (record) => {
        const before = record.policies.find((known) => known.policyArn === policyArn);
        const policy: AssociatedPolicy = {
          policyArn,
          scope,
          associatedAt: before?.associatedAt ?? now,
          modifiedAt: now,
        };
        return { ...record, policies: [...record.policies.filter((known) => known !== before), policy] };
      });
      return {
        clusterName: value.cluster,
        principalArn: value.principalArn,
        associatedAccessPolicy: toAssociated(value.policies.at(-1)!),
      };
    },

    async DisassociateAccessPolicy(input, context) {
      const seen = await find(context, input);
      if (!seen.value.policies.some(({ policyArn }) => policyArn === input.policyArn))
        throw notFound(`The policy ${input.policyArn} is not associated with the access entry.`);
      await accessEntries.update(seen.id, (record) => ({
        ...record,
        policies: record.policies.filter(({ policyArn }) => policyArn !== input.policyArn),
      }));
      return {};
    },

    async ListAssociatedAccessPolicies(input, context) {
      const { value } = await find(context, input);
      const { items, nextToken } = pageOf(value.policies, ({ policyArn }) => policyArn, input);
      return {
        clusterName: value.cluster,
        principalArn: value.principalArn,
        associatedAccessPolicies: items.map(toAssociated),
        nextToken,
      };
    },

    ListAccessPolicies(input) {
      const { items, nextToken } = pageOf(listAccessPolicies(), ({ name }) => name!, input);
      return { accessPolicies: items, nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}

function checkMode({ authenticationMode }: ClusterRecord): void {
  if (authenticationMode === 'CONFIG_MAP')
    throw invalidRequest(
      `The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.`,
    );
}

function checkPrincipal(principalArn: string): string {
  const { service, resource } = isArn(principalArn) ? parseArn(principalArn) : { service: '', resource: '' };
  if (service !== 'iam' || !/^(role|user)\/|^root$/.test(resource))
    throw invalidParameter(`The specified principalArn is invalid: invalid principal.`);
  return principalArn;
}

function checkType(type: string | undefined): AccessEntryRecord['type'] {
  const known = types.find((name) => name === (type ?? 'STANDARD'));
  if (!known) throw notSupported(`The access entry type ${type}`);
  return known;
}

/** Names that Kubernetes, AWS and their parts keep for themselves. */
function checkUsername(username: string): string {
  if (/^(system:|eks:|aws:|amazon:|iam:)/.test(username))
    throw invalidParameter(`The username ${username} begins with a reserved prefix.`);
  return username;
}

function checkGroups(groups: readonly string[] | undefined): void {
  const reserved = groups?.find((group) => /^(system:|eks:|aws:|amazon:|iam:)/.test(group));
  if (reserved)
    throw invalidParameter(
      `The kubernetes group name ${reserved} is invalid, it cannot start with system:, eks:, aws:, amazon: or iam:`,
    );
}

function checkScope(scope: AccessScope | undefined): AssociatedPolicy['scope'] {
  const namespaces = scope?.namespaces ?? [];
  if (scope?.type !== 'cluster' && scope?.type !== 'namespace')
    throw invalidParameter('The access scope type must be cluster or namespace.');
  if (scope.type === 'namespace' && !namespaces.length)
    throw invalidParameter('An access scope of type namespace must name at least one namespace.');
  if (scope.type === 'cluster' && namespaces.length)
    throw invalidParameter('An access scope of type cluster cannot name namespaces.');
  return { type: scope.type, namespaces };
}

function unknownPolicy(arn: string): Error {
  return /^arn:[^:]+:eks::aws:cluster-access-policy\/AmazonEKS\w+$/.test(arn)
    ? notSupported(`The access policy ${arn.split('/')[1]}`)
    : invalidParameter(`The policyArn parameter format is not valid: ${arn}`);
}
