import { messageOf } from '#base';
import type { types } from '#kubernetes';
import type { Reconciler } from '#reconcile';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { PROFILE_LABEL } from './cluster/fargate-pods.ts';
import { idIn, scopeOfId } from './names.ts';
import { FARGATE_SCHEDULER, nodeEvents } from './nodes/events.ts';
import { retire, startLeaving } from './nodes/retire.ts';
import type { ClusterRecord, FargateProfileRecord, NodeRecord } from './records.ts';
import type { RunningCluster, RunningClusters } from './running-clusters.ts';
import type { EksState } from './state.ts';

export interface FargateParts {
  readonly state: EksState;
  readonly clusters: RunningClusters;
}

type Again = void | { readonly afterMs: number };

/** How long a node that cannot be had waits before it is tried again. */
const RETRY_MS = 15_000;

/** Makes a node for each pod of a Fargate profile, puts the pod there, and takes the node away with it. Keys are clusters: `<account>/<region>/<name>`. */
export function fargateReconciler(parts: FargateParts): Reconciler {
  const { state, clusters } = parts;
  const clusterOf = (key: string, prefix: string) => [key.slice(prefix.length).split('/').slice(0, 3).join('/')];
  const { fargateProfiles, nodes, podAddresses } = state;
  return {
    name: 'eks-fargate',
    sources: [
      { prefix: fargateProfiles.prefix, keysOf: ({ key }) => clusterOf(key, fargateProfiles.prefix) },
      { prefix: nodes.prefix, keysOf: ({ key }) => clusterOf(key, nodes.prefix) },
      {
        prefix: podAddresses.prefix,
        keysOf({ value, previous }) {
          if (value || !previous) return [];
          return [(JSON.parse(Buffer.from(previous).toString('utf8')) as { readonly clusterKey: string }).clusterKey];
        },
      },
    ],
    events: (signal) => nodeEvents(clusters, async (key) => [key], signal),
    async reconcile(key) {
      const cluster = await state.clusters.get(key);
      const running = cluster && clusters.get(key, cluster.value.id);
      if (cluster && running) return await step(parts, cluster.value, running);
    },
  };
}

async function step({ state }: FargateParts, cluster: ClusterRecord, running: RunningCluster): Promise<Again> {
  const scope = scopeOfId(`${cluster.account}/${cluster.region}/${cluster.name}`);
  const profiles = await state.fargateProfiles.list(idIn(scope, ''));
  const all = (await state.nodes.list(idIn(scope, ''))).filter(({ value }) => value.owner.kind === 'fargate');
  if (!profiles.length && !all.length) return undefined;
  const pods = await podsOf(running);
  const answers = await Promise.all([
    ...all.map((node) => follow(state, running, node, pods)),
    ...pods.filter((pod) => waits(pod, all)).map((pod) => place(state, { cluster, running, profiles }, pod)),
    ...profiles
      .filter(({ value }) => value.status === 'DELETING')
      .map((each) => end(state, running, each, { all, pods })),
  ]);
  const pauses = answers.flatMap((answer) => (answer ? [answer.afterMs] : []));
  return pauses.length ? { afterMs: Math.min(...pauses) } : undefined;
}

async function podsOf({ informers }: RunningCluster): Promise<readonly types.Pod[]> {
  const { resources } = await import('#kubernetes');
  const copy = informers.of(resources.pods);
  await copy.synced();
  return copy.list().filter(({ spec }) => spec?.schedulerName === FARGATE_SCHEDULER);
}

const uidIn = ({ value: { owner } }: Versioned<NodeRecord>) => (owner.kind === 'fargate' ? owner.pod.uid : '');

/** A pod without a node, and without one being made for it. */
function waits({ metadata, spec }: types.Pod, nodes: readonly Versioned<NodeRecord>[]): boolean {
  return !spec?.nodeName && !metadata?.deletionTimestamp && !nodes.some((node) => uidIn(node) === metadata?.uid);
}

/** The pod goes to its node when that is ready; the node goes when its pod is gone. */
async function follow(
  state: EksState,
  running: RunningCluster,
  node: Versioned<NodeRecord>,
  pods: readonly types.Pod[],
): Promise<Again> {
  if (node.value.phase !== 'active') return await retire(state, node, running);
  const pod = pods.find(({ metadata }) => metadata?.uid === uidIn(node));
  if (!pod) return await startLeaving(state, node);
  if (pod.spec?.nodeName) return undefined;
  const { isStatusError, resources } = await import('#kubernetes');
  const object = running.informers.of(resources.nodes).get(node.value.nodeName);
  const isReady = object?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  if (!isReady) return undefined;
  const { namespace, name = '' } = pod.metadata ?? {};
  const { capacityText, fargateSize } = await import('./nodes/fargate-fit.ts');
  const size = fargateSize(pod);
  const annotations = size && { CapacityProvisioned: capacityText(size) };
  const target = { apiVersion: 'v1', kind: 'Node', name: node.value.nodeName };
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { namespace, name }, target };
  try {
    await running.client.patch(
      resources.pods,
      { namespace, name },
      { kind: 'merge', body: { metadata: { annotations } } },
    );
    await running.client.post(resources.pods, { namespace, name }, 'binding', binding as object);
  } catch (error) {
    // It was bound or deleted meanwhile, of which the copy will tell.
    if (!isStatusError(error, 'Conflict', 'NotFound')) throw error;
  }
}

interface Placing {
  readonly cluster: ClusterRecord;
  readonly running: RunningCluster;
  readonly profiles: readonly Versioned<FargateProfileRecord>[];
}

async function place(state: EksState, { cluster, running, profiles }: Placing, pod: types.Pod): Promise<Again> {
  const name = pod.metadata?.labels?.[PROFILE_LABEL];
  const profile = profiles.find(({ value }) => value.name === name && value.status === 'ACTIVE')?.value;
  const keys = await state.clusterKeys.get(`${cluster.account}/${cluster.region}/${cluster.name}`);
  if (!profile || !keys) return undefined;
  const { fargateRefusal, fargateSize } = await import('./nodes/fargate-fit.ts');
  const size = fargateSize(pod);
  const refusal = fargateRefusal(pod);
  if (refusal || !size) {
    const { refusePod } = await import('./nodes/fargate-refuse.ts');
    return await refusePod(running, pod, refusal ?? '', state.clock.now());
  }
  const subnetId = profile.subnetIds[Math.floor(state.random.fraction() * profile.subnetIds.length)]!;
  const { planFargateNode } = await import('./nodes/fargate.ts');
  try {
    const { compare, success } = await planFargateNode(state, {
      cluster,
      keys: keys.value,
      profile,
      pod,
      size,
      subnetId,
    });
    const { succeeded } = await state.store.txn({ compare, success });
    return succeeded ? undefined : { afterMs: 0 };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    state.logger.warn('a Fargate node cannot be made', { profile: profile.name, error: messageOf(error) });
    const { refusePod } = await import('./nodes/fargate-refuse.ts');
    const { namespace, name: podName } = pod.metadata ?? {};
    const message = `Pod provisioning failed (will retry) for pod: ${namespace}/${podName}: ${messageOf(error)}`;
    await refusePod(running, pod, message, state.clock.now());
    return { afterMs: RETRY_MS };
  }
}

/** Pods of a profile that is deleted are deleted; with the last node it is gone, and its role's access entry with it. */
async function end(
  state: EksState,
  { client }: RunningCluster,
  profile: Versioned<FargateProfileRecord>,
  { all, pods }: { readonly all: readonly Versioned<NodeRecord>[]; readonly pods: readonly types.Pod[] },
): Promise<Again> {
  const { isStatusError, resources } = await import('#kubernetes');
  const own = pods.filter(({ metadata }) => metadata?.labels?.[PROFILE_LABEL] === profile.value.name);
  for (const { metadata } of own)
    if (!metadata?.deletionTimestamp)
      await client
        .delete(resources.pods, { namespace: metadata?.namespace, name: metadata?.name ?? '' })
        .catch((error: unknown) => {
          if (!isStatusError(error, 'NotFound')) throw error;
        });
  const isUsed = all.some(({ value: { owner } }) => owner.kind === 'fargate' && owner.profile === profile.value.name);
  if (isUsed || own.length) return undefined;
  const others = await state.fargateProfiles.list(idIn(profile.value, ''));
  const { podExecutionRoleArn } = profile.value;
  const isShared = others.some(
    ({ id, value }) => id !== profile.id && value.podExecutionRoleArn === podExecutionRoleArn,
  );
  const entry = isShared ? undefined : await state.accessEntries.get(idIn(profile.value, podExecutionRoleArn));
  const isOurs = entry?.value.type === 'FARGATE_LINUX';
  await state.store.txn({
    compare: [state.fargateProfiles.ifUnchanged(profile)],
    success: [state.fargateProfiles.remove(profile.id), ...(isOurs ? [state.accessEntries.remove(entry.id)] : [])],
  });
}
