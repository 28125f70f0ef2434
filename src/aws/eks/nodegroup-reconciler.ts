import { messageOf } from '#base';
import type { types } from '#kubernetes';
import type { Reconciler } from '#reconcile';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { clusterId, idIn } from './names.ts';
import { nodeEvents } from './nodes/events.ts';
import { planNode } from './nodes/launch.ts';
import { relabel } from './nodes/relabel.ts';
import { retire, startDraining, startLeaving } from './nodes/retire.ts';
import type { ClusterRecord, NodegroupRecord, NodeRecord } from './records.ts';
import type { RunningCluster, RunningClusters } from './running-clusters.ts';
import type { EksState } from './state.ts';
import { finishUpdates } from './updates.ts';

export interface NodegroupParts {
  readonly state: EksState;
  readonly clusters: RunningClusters;
}

/** How long a launch that failed waits before it is tried again. */
const RETRY_MS = 30_000;
/** How long a node may be not ready before it is replaced, where that was asked for: Amazon EKS User Guide, "Node auto repair". */
const REPAIR_MS = 30 * 60_000;

type Again = void | { readonly afterMs: number };

/** Keeps as many nodes as each group wants, of the making it wants, spread over its subnets' zones. */
export function nodegroupReconciler(parts: NodegroupParts): Reconciler {
  const { state, clusters } = parts;
  const { nodegroups, nodes, podAddresses, instances } = state;
  const keysOfCluster = async (clusterKey: string) => (await nodegroups.list(`${clusterKey}/`)).map(({ id }) => id);
  return {
    name: 'eks-nodegroups',
    sources: [
      { prefix: nodegroups.prefix, keysOf: ({ key }) => [key.slice(nodegroups.prefix.length)] },
      { prefix: nodes.prefix, keysOf: ({ value, previous }) => ownerOf(value ?? previous) },
      {
        prefix: podAddresses.prefix,
        keysOf: ({ value, previous }) => clusterOfAddress(value, previous, keysOfCluster),
      },
      {
        prefix: instances.records.prefix,
        keysOf: async ({ key }) => {
          const [account, region, id] = key.slice(instances.records.prefix.length).split('/');
          const all = await nodes.list(`${account}/${region}/`);
          return all.flatMap(({ value }) => (value.id === id ? groupKeys(value) : []));
        },
      },
    ],
    events: (signal) => nodeEvents(clusters, keysOfCluster, signal),
    concurrency: 4,
    async reconcile(key) {
      const group = await nodegroups.get(key);
      if (group) return await step(parts, group);
    },
  };
}

function groupKeys(node: NodeRecord): readonly string[] {
  return node.owner.kind === 'nodegroup' ? [idIn(node, node.owner.name)] : [];
}

function ownerOf(bytes: Uint8Array | undefined): readonly string[] {
  return bytes ? groupKeys(JSON.parse(Buffer.from(bytes).toString('utf8')) as NodeRecord) : [];
}

/** Only an address that went is of interest: a node may be empty with it. */
async function clusterOfAddress(
  value: Uint8Array | undefined,
  previous: Uint8Array | undefined,
  keysOfCluster: (clusterKey: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  if (value || !previous) return [];
  const { clusterKey } = JSON.parse(Buffer.from(previous).toString('utf8')) as { readonly clusterKey: string };
  return await keysOfCluster(clusterKey);
}

interface Situation {
  readonly group: Versioned<NodegroupRecord>;
  readonly cluster: ClusterRecord;
  readonly running: RunningCluster;
  readonly nodes: readonly Versioned<NodeRecord>[];
}

async function step(parts: NodegroupParts, group: Versioned<NodegroupRecord>): Promise<Again> {
  const { state, clusters } = parts;
  const { value } = group;
  const cluster = (await state.clusters.get(clusterId(value, value.cluster)))?.value;
  const running = cluster && clusters.get(clusterId(cluster, cluster.name), cluster.id);
  // Without its control plane nothing of a group can be told; the cluster's start comes by here.
  if (!cluster || !running) return undefined;
  const all = await state.nodes.list(idIn(value, ''));
  const nodes = all.filter(({ value: { owner } }) => owner.kind === 'nodegroup' && owner.name === value.name);
  const situation: Situation = { group, cluster, running, nodes };
  const retiring = await Promise.all(
    nodes.filter(({ value: { phase } }) => phase !== 'active').map((node) => retire(state, node, running)),
  );
  const repaired = await giveUpLost(state, situation);
  const sized = await resize(state, situation);
  return soonest([...retiring, ...repaired, sized]);
}

function soonest(answers: readonly Again[]): Again {
  const waits = answers.flatMap((answer) => (answer ? [answer.afterMs] : []));
  return waits.length ? { afterMs: Math.min(...waits) } : undefined;
}

/** Nodes whose instance somebody ended, or which have been ill for too long, count no more. */
async function giveUpLost(state: EksState, { group, running, nodes }: Situation): Promise<readonly Again[]> {
  return await Promise.all(
    active(nodes).map(async (node): Promise<Again> => {
      const instance = await state.instances.find(node.value, node.value.id);
      if (!instance || (instance.value.state !== 'pending' && instance.value.state !== 'running'))
        return await startLeaving(state, node);
      if (!group.value.repairsNodes) return undefined;
      const ill = notReadySince(await nodeObject(running, node.value.nodeName));
      if (ill === undefined) return undefined;
      const left = ill + REPAIR_MS - state.clock.now();
      return left > 0 ? { afterMs: left } : await startDraining(state, node);
    }),
  );
}

/** One step towards the wanted number and making; says so when there is none left to take. */
async function resize(state: EksState, situation: Situation): Promise<Again> {
  const { group, running, nodes } = situation;
  const { value } = group;
  if (value.status === 'DELETING' && !nodes.length) return await forget(state, group);
  const live = active(nodes);
  const outdated = live.filter(
    ({ value: { owner } }) => owner.kind === 'nodegroup' && owner.generation < value.generation,
  );
  const surge = Math.min(outdated.length, maxUnavailable(value));
  const wanted = value.scaling.desiredSize + surge;
  if (live.length < wanted) return await launch(state, situation, wanted - live.length);
  const ready = await Promise.all(live.map(async (node) => isReady(await nodeObject(running, node.value.nodeName))));
  const surplus = live.length - value.scaling.desiredSize;
  const isReplacing = surge > 0;
  // New ones first: old ones go only when what replaces them is ready.
  if (surplus > 0 && (!isReplacing || ready.every(Boolean))) {
    for (const node of victims(live, outdated).slice(0, surplus)) await startDraining(state, node);
    return undefined;
  }
  await relabel(state, running, value, live);
  if (!isReplacing && surplus === 0 && ready.every(Boolean) && live.length === nodes.length) await settle(state, group);
  return undefined;
}

function active(nodes: readonly Versioned<NodeRecord>[]): readonly Versioned<NodeRecord>[] {
  return nodes.filter(({ value: { phase } }) => phase === 'active');
}

function maxUnavailable({ update, scaling }: NodegroupRecord): number {
  if (update.maxUnavailablePercentage === undefined) return update.maxUnavailable ?? 1;
  return Math.max(1, Math.floor((scaling.desiredSize * update.maxUnavailablePercentage) / 100));
}

/** Whom to give up first: those of an older making, then the youngest, which have least to lose. */
function victims(
  live: readonly Versioned<NodeRecord>[],
  outdated: readonly Versioned<NodeRecord>[],
): readonly Versioned<NodeRecord>[] {
  return [...live].sort(
    (a, b) => Number(outdated.includes(b)) - Number(outdated.includes(a)) || b.value.createdAt - a.value.createdAt,
  );
}

async function launch(state: EksState, situation: Situation, count: number): Promise<Again> {
  const { group, cluster } = situation;
  const keys = await state.clusterKeys.get(clusterId(cluster, cluster.name));
  if (!keys || group.value.status === 'DELETING') return undefined;
  const subnetIds = await leastUsedSubnets(state, situation, count);
  try {
    const plans = await Promise.all(
      subnetIds.map((subnetId) => planNode(state, { cluster, keys: keys.value, group: group.value, subnetId })),
    );
    // Each in a transaction of its own: the first that cannot be had does not hold back the others.
    const results = await Promise.all(
      plans.map(({ compare, success }) =>
        state.store.txn({ compare: [state.nodegroups.ifPresent(group.id), ...compare], success }),
      ),
    );
    // What lost a race for an address is tried again at once.
    return results.every(({ succeeded }) => succeeded) ? undefined : { afterMs: 0 };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    await complain(state, group, error);
    return { afterMs: RETRY_MS };
  }
}

/** Where the next nodes go: always to the subnet with the fewest. */
async function leastUsedSubnets(
  state: EksState,
  { group, nodes }: Situation,
  count: number,
): Promise<readonly string[]> {
  const used = new Map(group.value.subnetIds.map((id) => [id, 0]));
  for (const { value } of active(nodes)) {
    const instance = await state.instances.find(value, value.id);
    const subnetId = instance?.value.subnetId ?? '';
    used.set(subnetId, (used.get(subnetId) ?? 0) + 1);
  }
  return Array.from({ length: count }, () => {
    const [subnetId] = [...used].filter(([id]) => group.value.subnetIds.includes(id)).sort(([, a], [, b]) => a - b)[0]!;
    used.set(subnetId, used.get(subnetId)! + 1);
    return subnetId;
  });
}

const issueCodes: { readonly [code: string]: string } = {
  InsufficientFreeAddressesInSubnet: 'InsufficientFreeAddresses',
  InsufficientInstanceCapacity: 'AsgInstanceLaunchFailures',
  'InvalidSubnetID.NotFound': 'Ec2SubnetNotFound',
  'InvalidGroup.NotFound': 'Ec2SecurityGroupNotFound',
  InvalidInstanceType: 'Ec2InstanceTypeDoesNotExist',
};

async function complain(state: EksState, group: Versioned<NodegroupRecord>, error: AwsError): Promise<void> {
  const issue = {
    code: issueCodes[error.code] ?? 'NodeCreationFailure',
    message: messageOf(error),
    resourceIds: [],
  };
  state.logger.warn('a node cannot be launched', { nodegroup: group.id, error: issue.message });
  await state.nodegroups.update(group.id, (record) => {
    const status =
      record.status === 'CREATING' ? 'CREATE_FAILED' : record.status === 'ACTIVE' ? 'DEGRADED' : record.status;
    const isKnown = record.issues.some(({ message }) => message === issue.message);
    return isKnown && status === record.status ? record : { ...record, status, issues: [issue] };
  });
}

/** Says that the group is as it was asked to be. */
async function settle(state: EksState, group: Versioned<NodegroupRecord>): Promise<void> {
  const { value } = group;
  if (value.status === 'ACTIVE' || value.status === 'DELETING') return;
  const { account, region, cluster, name: nodegroup } = value;
  await state.store.txn({
    compare: [state.nodegroups.ifUnchanged(group)],
    success: [
      state.nodegroups.put(group.id, { ...value, status: 'ACTIVE', issues: [] }),
      ...(await finishUpdates(state, { account, region, cluster }, { nodegroup })),
    ],
  });
}

/** Its nodes are gone. Its role loses its access entry when no other group has it. */
async function forget(state: EksState, group: Versioned<NodegroupRecord>): Promise<void> {
  const { value } = group;
  const others = await state.nodegroups.list(idIn(value, ''));
  const isShared = others.some(({ id, value: { nodeRole } }) => id !== group.id && nodeRole === value.nodeRole);
  const entry = isShared ? undefined : await state.accessEntries.get(idIn(value, value.nodeRole));
  const isOurs = entry?.value.type === 'EC2_LINUX';
  await state.store.txn({
    compare: [state.nodegroups.ifUnchanged(group)],
    success: [state.nodegroups.remove(group.id), ...(isOurs ? [state.accessEntries.remove(entry.id)] : [])],
  });
}

async function nodeObject({ informers }: RunningCluster, name: string): Promise<types.Node | undefined> {
  const { resources } = await import('#kubernetes');
  const nodes = informers.of(resources.nodes);
  await nodes.synced();
  return nodes.get(name);
}

function isReady(node: types.Node | undefined): boolean {
  return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** Since when a node that was there is not ready; undefined for one that is. */
function notReadySince(node: types.Node | undefined): number | undefined {
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (!ready || ready.status === 'True') return undefined;
  return Date.parse(ready.lastTransitionTime ?? '') || undefined;
}
