import type { CreateFargateProfileRequest, FargateProfile } from '@aws-sdk/client-eks';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { newAccessEntry } from './access-entries.ts';
import { checkSubnets } from './cluster-checks.ts';
import { findActiveCluster, findCluster } from './find-cluster.ts';
import { fargateProfileArn, idIn, inUse, invalidParameter, invalidRequest, notFound } from './names.ts';
import { pageOf } from './pages.ts';
import { passRole } from './pass-role.ts';
import type { ClusterRecord, FargateProfileRecord } from './records.ts';
import type { EksState } from './state.ts';
import { tagsOf } from './tags.ts';

function toProfile(record: FargateProfileRecord): FargateProfile {
  return {
    fargateProfileName: record.name,
    fargateProfileArn: fargateProfileArn(record, record.name, record.id),
    clusterName: record.cluster,
    createdAt: new Date(record.createdAt),
    podExecutionRoleArn: record.podExecutionRoleArn,
    subnets: [...record.subnetIds],
    selectors: record.selectors.map(({ namespace, labels }) => ({ namespace, labels: { ...labels } })),
    status: record.status,
    tags: { ...record.tags },
    health: { issues: [] },
  };
}

export function fargateProfileHandlers(state: EksState) {
  const { fargateProfiles } = state;

  async function find(
    context: CallContext,
    input: { readonly clusterName?: string | undefined; readonly fargateProfileName?: string | undefined },
  ): Promise<Versioned<FargateProfileRecord>> {
    const { value: cluster } = await findCluster(state, context, input.clusterName);
    const seen = await fargateProfiles.get(idIn({ ...cluster, cluster: cluster.name }, input.fargateProfileName ?? ''));
    if (!seen) throw notFound(`No Fargate Profile found with name: ${input.fargateProfileName}.`);
    return seen;
  }

  return {
    async CreateFargateProfile(input, context) {
      const { value: cluster } = await findActiveCluster(state, context, input.clusterName);
      const record = await plan(state, context, cluster, input);
      const id = idIn(record, record.name);
      const roleEntry = newAccessEntry(state, {
        account: record.account,
        region: record.region,
        cluster: record.cluster,
        principalArn: record.podExecutionRoleArn,
        type: 'FARGATE_LINUX',
      });
      const hasEntry = await state.accessEntries.get(idIn(record, record.podExecutionRoleArn));
      const output = { fargateProfile: toProfile(record) };
      const { succeeded } = await state.store.txn({
        compare: [fargateProfiles.ifAbsent(id)],
        success: [
          fargateProfiles.put(id, record),
          ...context.remember(output),
          ...(hasEntry ? [] : [state.accessEntries.put(idIn(record, record.podExecutionRoleArn), roleEntry)]),
        ],
      });
      if (!succeeded) throw inUse(`A Fargate Profile already exists with this name in this cluster.`);
      return output;
    },

    async DescribeFargateProfile(input, context) {
      return { fargateProfile: toProfile((await find(context, input)).value) };
    },

    async ListFargateProfiles(input, context) {
      const { value: cluster } = await findCluster(state, context, input.clusterName);
      const all = await fargateProfiles.list(idIn({ ...cluster, cluster: cluster.name }, ''));
      const { items, nextToken } = pageOf(
        all.map(({ value }) => value.name),
        (name) => name,
        input,
      );
      return { fargateProfileNames: items, nextToken };
    },

    /** One at a time in a cluster, as EKS has it; its pods end before it is gone. */
    async DeleteFargateProfile(input, context) {
      const seen = await find(context, input);
      const { value } = await fargateProfiles.update(seen.id, (record) => ({ ...record, status: 'DELETING' }));
      return { fargateProfile: toProfile(value) };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}

async function plan(
  state: EksState,
  context: CallContext,
  cluster: ClusterRecord,
  input: CreateFargateProfileRequest,
): Promise<FargateProfileRecord> {
  const name = input.fargateProfileName!;
  const podExecutionRoleArn = input.podExecutionRoleArn!;
  const scope = { account: cluster.account, region: cluster.region, cluster: cluster.name };
  if (!/^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name))
    throw invalidParameter(`The Fargate profile name "${name}" is not valid.`);
  if (await state.fargateProfiles.get(idIn(scope, name)))
    throw inUse(`A Fargate Profile already exists with this name in this cluster.`);
  const subnets = await checkSubnets(state, context, input.subnets?.length ? input.subnets : cluster.network.subnetIds);
  if (subnets[0]!.vpcId !== cluster.vpcId)
    throw invalidParameter(`Subnets are not in the VPC of the cluster, ${cluster.vpcId}.`);
  for (const subnet of subnets)
    if (await state.network.isPublic(subnet))
      throw invalidParameter(`Subnet ${subnet.id} provided in Fargate Profile is not a private subnet`);
  const selectors = (input.selectors ?? []).map(({ namespace, labels }) => {
    if (!namespace) throw invalidParameter('Every selector names a namespace.');
    return { namespace, labels: labels ?? {} };
  });
  if (!selectors.length || selectors.length > 5) throw invalidParameter('A Fargate profile has one to five selectors.');
  await passRole(context, podExecutionRoleArn, 'eks-fargate-pods.amazonaws.com');
  await checkExecutionRole(state, podExecutionRoleArn);
  return {
    ...scope,
    name,
    id: state.random.uuid(),
    status: 'ACTIVE',
    podExecutionRoleArn,
    subnetIds: subnets.map(({ id }) => id),
    selectors,
    tags: tagsOf(input.tags),
    createdAt: state.clock.now(),
  };
}

async function checkExecutionRole(state: EksState, roleArn: string): Promise<void> {
  try {
    await state.identities.issueRoleSession({
      roleArn,
      sessionName: 'AmazonEKSFargate',
      service: 'eks-fargate-pods.amazonaws.com',
      durationMs: 900_000,
    });
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw invalidRequest(
      `Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal`,
    );
  }
}
