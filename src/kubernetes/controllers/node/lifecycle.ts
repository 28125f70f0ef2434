/** Says of nodes that fall silent that nobody knows how they are, and taints them. Behaviour: kubernetes `pkg/controller/nodelifecycle`. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#base';
import { leases, nodes, pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Node, Pod } from '../../types.ts';
import { conditionOf, withCondition } from '../conditions.ts';
import { type Change, type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { instantOf, isDeleting, metaOf, nameOf, timestampOf } from '../meta.ts';
import { isFinished } from '../pods.ts';
import { readiness, taintsFor } from './taints.ts';

const NAME = 'node-controller';
const LEASES = 'kube-node-lease';
/** Silence after which nothing is known of a node: upstream's `node-monitor-grace-period`. */
const GRACE_MS = 50_000;
/** The same for a node that has yet to say its first word: `node-startup-grace-period`. */
const STARTUP_GRACE_MS = 60_000;

type NodeCondition = NonNullable<NonNullable<Node['status']>['conditions']>[number];

export function nodeLifecycleController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(nodes);
  const podCopy = podsIn(parts.informers);
  const leaseCopy = parts.informers.of(leases, { namespace: LEASES });
  const heartbeats = new Heartbeats(parts.clock);
  return {
    name: NAME,
    wokenBy: [
      wakes(copy, ({ now, before }) => {
        const { name } = metaOf((now ?? before)!);
        tellTurn({ now, before }, parts);
        if (!now) heartbeats.forget(name);
        else if (!isDeepStrictEqual(heartbeatsIn(now), before && heartbeatsIn(before))) heartbeats.note(name);
        return now ? [name] : [];
      }),
      // A renewal is noted and moves nothing, unless the node was thought lost.
      wakes(leaseCopy, ({ now }) => {
        if (!now) return [];
        const { name } = metaOf(now);
        heartbeats.note(name);
        return copy.get(name) && readiness(copy.get(name)!) === 'Unknown' ? [name] : [];
      }),
    ],
    reads: [copyOf(nodes, copy), copyOf(pods, podCopy)],
    async reconcile(name, step) {
      const node = copy.get(name);
      if (!node) return undefined;
      const silentMs = parts.clock.now() - heartbeats.last(name, instantOf(metaOf(node).creationTimestamp));
      const graceMs = readiness(node) === undefined ? STARTUP_GRACE_MS : GRACE_MS;
      if (silentMs >= graceMs && (await tellLost(node, step, parts.clock))) return undefined;
      const isAnyReady = copy.list().some((each) => readiness(each) === 'True');
      await taint(node, { isAnyReady, step, clock: parts.clock });
      if (readiness(node) !== 'True') await tellPods(podCopy.by('node', name), step, parts);
      return silentMs < graceMs ? { afterMs: graceMs - silentMs } : undefined;
    },
  };
}

/** Nodes coming and going, and falling ill, as `kubectl describe node` shows it. */
function tellTurn({ now, before }: Change<Node>, { events }: ControllerParts): void {
  const node = (now ?? before)!;
  const { name } = metaOf(node);
  const tell = (reason: string, message: string) =>
    events.as(NAME).record(nodes, node, { type: 'Normal', reason, message });
  if (!now) tell('RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
  else if (!before) tell('RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
  else if (readiness(before) === 'True' && readiness(now) !== 'True')
    tell('NodeNotReady', `Node ${name} status is now: NodeNotReady`);
}

/** When each node was last heard of, by our own clock: those of nodes may be wrong. */
class Heartbeats {
  readonly #clock: Clock;
  readonly #last = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(name: string): void {
    this.#last.set(name, this.#clock.now());
  }

  last(name: string, otherwise: number): number {
    return this.#last.get(name) ?? otherwise;
  }

  forget(name: string): void {
    this.#last.delete(name);
  }
}

/** What a kubelet writes; our own verdicts are no sign of life. */
function heartbeatsIn({ status }: Node): unknown {
  return status?.conditions?.map(({ type, lastHeartbeatTime }) => [type, lastHeartbeatTime]);
}

/** Returns whether anything had to be said. */
async function tellLost(node: Node, { api }: Step, clock: Clock): Promise<boolean> {
  const now = timestampOf(clock);
  let conditions = node.status?.conditions ?? [];
  for (const type of ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']) {
    const old = conditionOf(conditions, type);
    if (old?.status === 'Unknown') continue;
    const condition: NodeCondition = {
      type,
      status: 'Unknown',
      reason: old ? 'NodeStatusUnknown' : 'NodeStatusNeverUpdated',
      message: old ? 'Kubelet stopped posting node status.' : 'Kubelet never posted node status.',
      lastHeartbeatTime: old?.lastHeartbeatTime ?? metaOf(node).creationTimestamp,
      lastTransitionTime: now,
    };
    conditions = withCondition(conditions, condition);
  }
  if (conditions === node.status?.conditions) return false;
  await api.update(nodes, { ...node, status: { ...node.status, conditions } }, { subresource: 'status' });
  return true;
}

/** Pods are sent away only while some node is well: with none, it is we who are cut off, or there is nowhere to go. */
async function taint(
  node: Node,
  { isAnyReady, step, clock }: { readonly isAnyReady: boolean; readonly step: Step; readonly clock: Clock },
): Promise<void> {
  const taints = taintsFor(node, { evicts: isAnyReady, now: timestampOf(clock) });
  if (isDeepStrictEqual(taints, node.spec?.taints ?? [])) return;
  const { resourceVersion } = metaOf(node);
  const body = { metadata: { resourceVersion }, spec: { taints: taints.length ? taints : null } };
  await step.api.patch(nodes, nameOf(node), { kind: 'merge', body });
}

/** Pods of a node that is not well do not serve, whatever they last said. */
async function tellPods(list: readonly Pod[], { api }: Step, { clock, events }: ControllerParts): Promise<void> {
  for (const pod of list) {
    const ready = conditionOf(pod.status?.conditions, 'Ready');
    if (ready?.status !== 'True' || isFinished(pod) || isDeleting(pod)) continue;
    const condition = { ...ready, status: 'False', lastTransitionTime: timestampOf(clock) };
    const status = { ...pod.status, conditions: withCondition(pod.status?.conditions ?? [], condition) };
    try {
      await api.update(pods, { ...pod, status }, { subresource: 'status' });
      events.as(NAME).record(pods, pod, { type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready' });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }
}
