import type { Cluster } from '@aws-sdk/client-ecs';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { lowerCaseTags, readTags } from '../tags.ts';
import { settingFor } from './account-settings.ts';
import { checkCapacityProviders } from './capacity-providers.ts';
import { clusterArn, idIn, invalidParameter, shortName, type ClusterScope, type Scope } from './names.ts';
import { pageOf } from './pages.ts';
import type { ClusterRecord } from './records.ts';
import type { EcsState } from './state.ts';

const DEFAULT_CLUSTER = 'default';

function newCluster(name: string, now: number, containerInsights = 'disabled'): ClusterRecord {
  return {
    name,
    status: 'ACTIVE',
    settings: [{ name: 'containerInsights', value: containerInsights }],
    capacityProviders: [],
    defaultCapacityProviderStrategy: [],
    tags: {},
    createdAt: now,
  };
}

/**
 * The ACTIVE cluster a request names by name or ARN; none means `default`, which exists from the first time it is meant. Throws
 * `ClusterNotFoundException`.
 */
export async function findCluster(
  state: EcsState,
  context: CallContext,
  nameOrArn: string | undefined,
): Promise<ClusterScope & { readonly record: ClusterRecord }> {
  const name = shortName(nameOrArn ?? DEFAULT_CLUSTER);
  const id = `${context.account}/${context.region}/${name}`;
  const seen = (await state.clusters.get(id)) ?? (await makeDefault(state, id, name));
  if (seen?.value.status !== 'ACTIVE') throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
  return { account: context.account, region: context.region, cluster: name, record: seen.value };
}

async function makeDefault(state: EcsState, id: string, name: string): Promise<Versioned<ClusterRecord> | undefined> {
  if (name !== DEFAULT_CLUSTER) return undefined;
  const { clusters, store, clock } = state;
  await store.txn({ compare: [clusters.ifAbsent(id)], success: [clusters.put(id, newCluster(name, clock.now()))] });
  return clusters.get(id);
}

export function clusterHandlers(state: EcsState) {
  const { clusters, tasks, services, clock } = state;

  async function toCluster(scope: Scope, record: ClusterRecord, include: readonly string[]): Promise<Cluster> {
    const inCluster = idIn({ ...scope, cluster: record.name }, '');
    const [allTasks, allServices] = await Promise.all([tasks.list(inCluster), services.list(inCluster)]);
    const live = allTasks.map(({ value }) => value).filter(({ lastStatus }) => lastStatus !== 'STOPPED');
    const running = live.filter(({ lastStatus }) => lastStatus === 'RUNNING');
    const pending = live.filter(({ lastStatus }) => ['PROVISIONING', 'PENDING', 'ACTIVATING'].includes(lastStatus));
    const active = allServices.filter(({ value }) => value.status === 'ACTIVE');
    const draining = allServices.filter(({ value }) => value.status === 'DRAINING');
    const statistic = (name: string, value: number) => ({ name, value: String(value) });
    return {
      clusterArn: clusterArn(scope, record.name),
      clusterName: record.name,
      status: record.status,
      registeredContainerInstancesCount: 0,
      runningTasksCount: running.length,
      pendingTasksCount: pending.length,
      activeServicesCount: active.length,
      statistics: include.includes('STATISTICS')
        ? [
            statistic('runningEC2TasksCount', 0),
            statistic('runningFargateTasksCount', running.length),
            statistic('pendingEC2TasksCount', 0),
            statistic('pendingFargateTasksCount', pending.length),
            statistic('activeEC2ServiceCount', 0),
            statistic('activeFargateServiceCount', active.length),
            statistic('drainingEC2ServiceCount', 0),
            statistic('drainingFargateServiceCount', draining.length),
          ]
        : [],
      settings: include.includes('SETTINGS') ? [...record.settings] : [],
      configuration: include.includes('CONFIGURATIONS') ? record.configuration : undefined,
      tags: include.includes('TAGS') ? lowerCaseTags(record.tags) : [],
      capacityProviders: [...record.capacityProviders],
      defaultCapacityProviderStrategy: [...record.defaultCapacityProviderStrategy],
    };
  }

  const everything = ['SETTINGS', 'CONFIGURATIONS', 'TAGS'];
  const idOf = (scope: Scope, name: string) => `${scope.account}/${scope.region}/${name}`;

  async function change(
    context: CallContext,
    cluster: string | undefined,
    next: (record: ClusterRecord) => ClusterRecord,
  ) {
    const found = await findCluster(state, context, cluster);
    const { value } = await clusters.update(idOf(context, found.cluster), next);
    return { cluster: await toCluster(context, value, everything) };
  }

  return {
    /** Creating a cluster that is there answers it as it is, as ECS does. */
    async CreateCluster(input, context) {
      const name = input.clusterName ?? DEFAULT_CLUSTER;
      if (!/^[A-Za-z0-9_-]{1,255}$/.test(name)) throw invalidParameter('Cluster name contains invalid characters.');
      checkCapacityProviders(input.capacityProviders, input.defaultCapacityProviderStrategy);
      if (input.serviceConnectDefaults) throw invalidParameter('Service Connect is not supported.');
      const id = idOf(context, name);
      const existing = await clusters.get(id);
      if (existing?.value.status === 'ACTIVE') return { cluster: await toCluster(context, existing.value, everything) };
      const base = newCluster(name, clock.now(), await settingFor(state, context, 'containerInsights'));
      const record: ClusterRecord = {
        ...base,
        settings: input.settings?.length ? input.settings : base.settings,
        ...(input.configuration ? { configuration: input.configuration } : {}),
        capacityProviders: input.capacityProviders ?? [],
        defaultCapacityProviderStrategy: input.defaultCapacityProviderStrategy ?? [],
        tags: readTags(input.tags),
      };
      const { succeeded } = await state.store.txn({
        compare: [existing ? clusters.ifUnchanged(existing) : clusters.ifAbsent(id)],
        success: [clusters.put(id, record)],
      });
      const made = succeeded ? record : (await findCluster(state, context, name)).record;
      return { cluster: await toCluster(context, made, everything) };
    },

    async DescribeClusters(input, context) {
      const names = input.clusters?.length ? input.clusters : [DEFAULT_CLUSTER];
      if (names.length > 100) throw invalidParameter('Clusters cannot be more than 100.');
      const found = await Promise.all(names.map((name) => clusters.get(idOf(context, shortName(name)))));
      const records = found.flatMap((seen) => (seen ? [seen.value] : []));
      return {
        clusters: await Promise.all(records.map((record) => toCluster(context, record, input.include ?? []))),
        failures: names
          .filter((_name, index) => !found[index])
          .map((name) => ({ arn: clusterArn(context, shortName(name)), reason: 'MISSING' })),
      };
    },

    async ListClusters(input, context) {
      const all = (await clusters.list(idOf(context, ''))).map(({ value }) => value);
      const active = all.filter(({ status }) => status === 'ACTIVE');
      const { items, nextToken } = pageOf(
        active.map(({ name }) => clusterArn(context, name)),
        input,
      );
      return { clusterArns: items, nextToken };
    },

    async DeleteCluster(input, context) {
      const { cluster } = await findCluster(state, context, input.cluster);
      const inCluster = idIn({ account: context.account, region: context.region, cluster }, '');
      if ((await services.list(inCluster)).some(({ value }) => value.status === 'ACTIVE'))
        throw new AwsError(
          'ClusterContainsServicesException',
          'The Cluster cannot be deleted while Services are active.',
        );
      if ((await tasks.list(inCluster)).some(({ value }) => value.lastStatus !== 'STOPPED'))
        throw new AwsError('ClusterContainsTasksException', 'The Cluster cannot be deleted while Tasks are active.');
      return change(context, cluster, (record) => ({ ...record, status: 'INACTIVE' }));
    },

    UpdateCluster: (input, context) =>
      change(context, input.cluster, (record) => ({
        ...record,
        settings: input.settings ? merged(record.settings, input.settings) : record.settings,
        ...(input.configuration ? { configuration: input.configuration } : {}),
      })),

    UpdateClusterSettings: (input, context) =>
      change(context, input.cluster, (record) => ({
        ...record,
        settings: merged(record.settings, input.settings ?? []),
      })),

    PutClusterCapacityProviders(input, context) {
      checkCapacityProviders(input.capacityProviders, input.defaultCapacityProviderStrategy);
      return change(context, input.cluster, (record) => ({
        ...record,
        capacityProviders: input.capacityProviders ?? [],
        defaultCapacityProviderStrategy: input.defaultCapacityProviderStrategy ?? [],
      }));
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecs')>;
}

function merged(old: ClusterRecord['settings'], changed: ClusterRecord['settings']): ClusterRecord['settings'] {
  return [...old.filter(({ name }) => !changed.some((setting) => setting.name === name)), ...changed];
}
