import type { PodIdentityAssociation, PodIdentityAssociationSummary } from '@aws-sdk/client-eks';
import type { Versioned } from '#store';
import type { CallContext, Handlers } from '../service.ts';
import { findActiveCluster, findCluster } from './find-cluster.ts';
import { idIn, inUse, invalidParameter, notFound, notSupported, podIdentityArn } from './names.ts';
import { pageOf } from './pages.ts';
import { passRole } from './pass-role.ts';
import type { PodIdentityRecord } from './records.ts';
import type { EksState } from './state.ts';
import { tagsOf } from './tags.ts';

function toSummary(record: PodIdentityRecord): PodIdentityAssociationSummary {
  return {
    clusterName: record.cluster,
    namespace: record.namespace,
    serviceAccount: record.serviceAccount,
    associationArn: podIdentityArn(record, record.id),
    associationId: record.id,
  };
}

function toAssociation(record: PodIdentityRecord): PodIdentityAssociation {
  return {
    ...toSummary(record),
    roleArn: record.roleArn,
    tags: { ...record.tags },
    createdAt: new Date(record.createdAt),
    modifiedAt: new Date(record.modifiedAt),
    disableSessionTags: record.isUntagged ?? false,
  };
}

export function podIdentityHandlers(state: EksState) {
  const { podIdentities, clock } = state;

  async function allOf(context: CallContext, clusterName: string | undefined): Promise<Versioned<PodIdentityRecord>[]> {
    const { value: cluster } = await findCluster(state, context, clusterName);
    return await podIdentities.list(idIn({ ...cluster, cluster: cluster.name }, ''));
  }

  async function find(
    context: CallContext,
    input: { readonly clusterName?: string | undefined; readonly associationId?: string | undefined },
  ): Promise<Versioned<PodIdentityRecord>> {
    const seen = (await allOf(context, input.clusterName)).find(({ value }) => value.id === input.associationId);
    if (!seen) throw notFound(`No association found with ID: ${input.associationId}.`);
    return seen;
  }

  return {
    async CreatePodIdentityAssociation(input, context) {
      const { value: cluster } = await findActiveCluster(state, context, input.clusterName);
      refuseUnbuilt(input);
      const { namespace, serviceAccount } = input;
      const isTaken = (await allOf(context, input.clusterName)).some(
        ({ value }) => value.namespace === namespace && value.serviceAccount === serviceAccount,
      );
      if (isTaken)
        throw inUse(`Association already exists: a pod identity association for ${namespace}/${serviceAccount}`);
      await passRole(context, input.roleArn!, 'pods.eks.amazonaws.com');
      const now = clock.now();
      const record: PodIdentityRecord = {
        account: cluster.account,
        region: cluster.region,
        cluster: cluster.name,
        id: `a-${state.random.text(17, 'abcdefghijklmnopqrstuvwxyz0123456789')}`,
        namespace: namespace!,
        serviceAccount: serviceAccount!,
        roleArn: input.roleArn!,
        ...(input.disableSessionTags && { isUntagged: true }),
        tags: tagsOf(input.tags),
        createdAt: now,
        modifiedAt: now,
      };
      const output = { association: toAssociation(record) };
      await state.store.txn({
        success: [podIdentities.put(idIn(record, record.id), record), ...context.remember(output)],
      });
      return output;
    },

    async DescribePodIdentityAssociation(input, context) {
      return { association: toAssociation((await find(context, input)).value) };
    },

    async ListPodIdentityAssociations(input, context) {
      const all = (await allOf(context, input.clusterName)).map(({ value }) => value);
      const rows = all
        .filter(({ namespace }) => !input.namespace || namespace === input.namespace)
        .filter(({ serviceAccount }) => !input.serviceAccount || serviceAccount === input.serviceAccount);
      const { items, nextToken } = pageOf(rows, ({ id }) => id, input);
      return { associations: items.map(toSummary), nextToken };
    },

    async UpdatePodIdentityAssociation(input, context) {
      const seen = await find(context, input);
      refuseUnbuilt(input);
      const { roleArn, disableSessionTags: isUntagged } = input;
      if (!roleArn && isUntagged === undefined) throw invalidParameter('There is nothing to change.');
      if (roleArn) await passRole(context, roleArn, 'pods.eks.amazonaws.com');
      const { value } = await podIdentities.update(seen.id, (record) => ({
        ...record,
        ...(roleArn && { roleArn }),
        ...(isUntagged !== undefined && { isUntagged }),
        modifiedAt: clock.now(),
      }));
      return { association: toAssociation(value) };
    },

    async DeletePodIdentityAssociation(input, context) {
      const seen = await find(context, input);
      await podIdentities.delete(seen.id);
      return { association: toAssociation(seen.value) };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}

/** Sessions of pods carry no tags here, so what rests on them is refused. */
function refuseUnbuilt(input: {
  readonly targetRoleArn?: string | undefined;
  readonly policy?: string | undefined;
}): void {
  if (input.targetRoleArn) throw notSupported('A target role of a pod identity association');
  if (input.policy) throw notSupported('A session policy of a pod identity association');
}
