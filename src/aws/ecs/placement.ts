import type { Node, SandboxSpec } from '#node';
import { sandboxKey } from '#node';
import type { Reconciler } from '#reconcile';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { privateDnsName } from '../ec2/index.ts';
import { Capacity } from './capacity.ts';
import { clusterArn, idIn, taskArn } from './names.ts';
import { asked, changed } from './new-task.ts';
import type { TaskDefinitionRecord, TaskPlacement, TaskRecord } from './records.ts';
import { sandboxSpec, unsupported } from './sandbox-spec.ts';
import { UNPLACED_PREFIX, type EcsState } from './state.ts';
import { findTaskDefinition } from './task-definitions.ts';

/** The one key: nodes are shared by all, so one pass decides for all who wait. */
const EVERYTHING = 'all';

/** How often a task's place is planned anew when an address was taken meanwhile. */
const ATTEMPTS = 8;

/** Gives every waiting task a place. One owner decides, so that no node is promised twice; the writes of one pass go out together. */
export function placementReconciler(state: EcsState): Reconciler {
  return {
    name: 'ecs-placement',
    sources: [
      { prefix: UNPLACED_PREFIX, keysOf: ({ value }) => (value ? [EVERYTHING] : []) },
      { prefix: state.nodes.nodes.prefix, keysOf: ({ value }) => (value ? [EVERYTHING] : []) },
    ],
    concurrency: 1,
    async reconcile() {
      const waiting = await state.unplaced.list();
      if (!waiting.length) return undefined;
      const found = await Promise.all(waiting.map(({ id }) => state.tasks.get(id)));
      const capacity = await capacityNow(
        state,
        found.flatMap((task) => (task ? [task.value] : [])),
      );
      const placed = await Promise.all(waiting.map(({ id }, index) => placeOne(state, capacity, id, found[index])));
      // An address or the task changed while it was placed: nothing would announce that it can be tried again.
      return placed.includes('again') ? { afterMs: 50 } : undefined;
    },
  };
}

/** Nodes with what is taken of them, and the copies in the groups of those who wait. */
async function capacityNow(state: EcsState, waiting: readonly TaskRecord[]): Promise<Capacity> {
  const groups = new Map(waiting.map((task) => [idIn(task, task.group), task]));
  const [nodes, ...tasks] = await Promise.all([
    state.nodes.nodes.list(),
    ...Array.from(groups.values(), (task) => state.taskGroups.of(task, task.group)),
  ]);
  const values = <T>(seen: readonly Versioned<T>[]) => seen.map(({ value }) => value);
  return new Capacity(values(nodes), await state.nodeUse.now(), values(tasks.flat()));
}

type Placed = 'done' | 'again';

async function placeOne(
  state: EcsState,
  capacity: Capacity,
  id: string,
  task: Versioned<TaskRecord> | undefined,
): Promise<Placed> {
  // What was stopped before it had a place is ended by its own reconciler.
  if (!task || task.value.placement || task.value.desiredStatus === 'STOPPED') {
    await state.unplaced.delete(id);
    return 'done';
  }
  try {
    return await place(state, capacity, task);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    return failToStart(state, task, `ResourceInitializationError: ${error.message}`);
  }
}

async function place(state: EcsState, capacity: Capacity, task: Versioned<TaskRecord>): Promise<Placed> {
  const { value } = task;
  const definition = (await findTaskDefinition(state, value, value.taskDefinitionArn))?.value.definition;
  if (!definition) return failToStart(state, task, 'TaskDefinition not found.');
  const wish = unsupported(definition);
  if (wish) return failToStart(state, task, `ResourceInitializationError: dabba does not support ${wish} yet`);
  const subnets = await Promise.all(value.network.subnetIds.map((id) => state.network.subnet(value, id)));
  const choice = capacity.choose(value, subnets);
  // Without any node the machine is still starting; the first that comes wakes us.
  if (choice === 'no-nodes') return 'done';
  if (choice === 'no-room')
    return failToStart(
      state,
      task,
      'Capacity is unavailable at this time. Please try again later or in a different availability zone',
    );
  for (let attempt = 0; attempt < ATTEMPTS; attempt++)
    if (await assign(state, task, { definition, node: choice.node, subnetId: choice.subnet.id })) return 'done';
  capacity.giveBack(choice.node, value);
  return 'again';
}

/** Interface, sandbox and assignment come to be in one transaction; false when something it rests on changed meanwhile. */
async function assign(
  state: EcsState,
  task: Versioned<TaskRecord>,
  place: { readonly definition: TaskDefinitionRecord['definition']; readonly node: Node; readonly subnetId: string },
): Promise<boolean> {
  const { value } = task;
  const attachmentId = state.random.uuid();
  const planned = await state.network.planInterface({
    account: value.account,
    region: value.region,
    subnetId: place.subnetId,
    securityGroupIds: value.network.securityGroupIds,
    assignPublicIp: value.network.assignPublicIp,
    description: `arn:aws:ecs:${value.region}:${value.account}:attachment/${attachmentId}`,
    managedBy: 'ecs',
    tags: { 'aws:ecs:clusterName': value.cluster, 'aws:ecs:clusterArn': clusterArn(value, value.cluster) },
    nodeId: place.node.id,
  });
  const { networkInterface } = planned;
  const placement: TaskPlacement = {
    nodeId: place.node.id,
    zone: networkInterface.zone,
    subnetId: networkInterface.subnetId,
    attachmentId,
    networkInterfaceId: networkInterface.id,
    macAddress: networkInterface.macAddress,
    privateIp: networkInterface.privateIp,
    privateDnsName: privateDnsName(value.region, networkInterface.privateIp),
  };
  const spec: SandboxSpec = sandboxSpec(value, placement, place.definition);
  const now = state.clock.now();
  const { succeeded } = await state.store.txn({
    compare: [state.tasks.ifUnchanged(task), ...planned.compare],
    success: [
      ...planned.success,
      state.tasks.put(task.id, changed(value, { placement, lastStatus: 'PENDING', connectivityAt: now })),
      state.unplaced.remove(task.id),
      state.sandboxes.put(`${value.account}/${value.id}`, { taskKey: task.id }),
      state.nodes.specs.put(sandboxKey(spec), spec),
    ],
  });
  return succeeded;
}

async function failToStart(state: EcsState, task: Versioned<TaskRecord>, stoppedReason: string): Promise<Placed> {
  state.logger.warn('a task cannot start', { arn: taskArn(task.value, task.value.id), reason: stoppedReason });
  const why = { stopCode: 'TaskFailedToStart', stoppedReason } as const;
  await state.tasks.update(task.id, (value) => (value.placement ? value : asked(value, why, state.clock.now())));
  return 'done';
}
