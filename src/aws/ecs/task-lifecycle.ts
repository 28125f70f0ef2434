import { sandboxKey, type SandboxSpec, type SandboxStatus } from '#node';
import type { Reconciler } from '#reconcile';
import type { Versioned } from '#store';
import { idIn } from './names.ts';
import { changed } from './new-task.ts';
import type { TaskRecord } from './records.ts';
import { TASKS_PREFIX, type EcsState } from './state.ts';
import { observed } from './task-observation.ts';

/** How long a stopped task can still be described: ECS Developer Guide, "Task lifecycle". */
const STOPPED_VISIBLE_MS = 3_600_000;

/** A task with what its node has of it. */
interface Situation {
  readonly task: Versioned<TaskRecord>;
  readonly spec: Versioned<SandboxSpec> | undefined;
  readonly status: SandboxStatus | undefined;
}

/** Moves each task on by what its node reports and what is wanted of it: one step a call, each a transaction. */
export function taskReconciler(state: EcsState): Reconciler {
  return {
    name: 'ecs-tasks',
    sources: [
      { prefix: TASKS_PREFIX, keysOf: ({ key }) => [key.slice(TASKS_PREFIX.length)] },
      { prefix: state.nodes.statuses.prefix, keysOf: ({ key }) => taskOfSandbox(state, key) },
    ],
    concurrency: 32,
    async reconcile(key) {
      const task = await state.tasks.get(key);
      if (!task) return;
      if (task.value.lastStatus === 'STOPPED') return forgetWhenOld(state, task);
      const situation = await look(state, task);
      if (!task.value.placement) await endUnplaced(state, situation);
      else if (!situation.spec && !situation.status) await release(state, situation);
      else if (situation.spec) await follow(state, { ...situation, spec: situation.spec });
    },
  };
}

async function taskOfSandbox(state: EcsState, key: string): Promise<readonly string[]> {
  const [, tenant, sandboxId] = key.slice(state.nodes.statuses.prefix.length).split('/');
  const sandbox = await state.sandboxes.get(`${tenant}/${sandboxId}`);
  return sandbox ? [sandbox.value.taskKey] : [];
}

async function look(state: EcsState, task: Versioned<TaskRecord>): Promise<Situation> {
  const { placement, account, id } = task.value;
  if (!placement) return { task, spec: undefined, status: undefined };
  const key = sandboxKey({ nodeId: placement.nodeId, tenant: account, id });
  const [spec, status] = await Promise.all([state.nodes.specs.get(key), state.nodes.statuses.get(key)]);
  return { task, spec, status: status?.value };
}

/** A task that was stopped before it had a place never was anywhere. */
async function endUnplaced(state: EcsState, { task }: Situation): Promise<void> {
  if (task.value.desiredStatus !== 'STOPPED') return;
  const now = state.clock.now();
  const containers = task.value.containers.map((container) => ({ ...container, lastStatus: 'STOPPED' as const }));
  await state.store.txn({
    compare: [state.tasks.ifUnchanged(task)],
    success: [
      state.tasks.put(task.id, changed(task.value, { lastStatus: 'STOPPED', containers, stoppedAt: now })),
      state.unplaced.remove(task.id),
    ],
  });
}

/**
 * The task takes over what its node reports; its sandbox is told to stop when the task is to; once stopped, the sandbox is given up. A
 * comparison that fails means that somebody else changed the task, which brings it here again.
 */
async function follow(
  state: EcsState,
  { task, spec, status }: Situation & { readonly spec: Versioned<SandboxSpec> },
): Promise<void> {
  const next = status ? observed(task.value, status, state.clock.now()) : task.value;
  const { specs } = state.nodes;
  if (status?.phase === 'stopped') {
    const ended = changed(next, { lastStatus: 'DEPROVISIONING', desiredStatus: 'STOPPED' });
    return write(state, task, ended, [specs.remove(spec.id)]);
  }
  if (next.desiredStatus === 'STOPPED' && spec.value.desired === 'running') {
    const stopping = changed(next, { lastStatus: 'STOPPING' });
    return write(state, task, stopping, [specs.put(spec.id, { ...spec.value, desired: 'stopped' })]);
  }
  if (next !== task.value) await write(state, task, next, []);
}

/** The node has forgotten the sandbox: its address goes back, and the task is over. */
async function release(state: EcsState, { task }: Situation): Promise<void> {
  const { value } = task;
  const now = state.clock.now();
  const ended = changed(value, {
    lastStatus: 'STOPPED',
    desiredStatus: 'STOPPED',
    containers: value.containers.map((container) => ({ ...container, lastStatus: 'STOPPED' })),
    executionStoppedAt: value.executionStoppedAt ?? now,
    stoppedAt: now,
  });
  await write(state, task, ended, [
    ...(await state.network.planDeleteInterface(value, value.placement!.networkInterfaceId)),
    state.sandboxes.remove(`${value.account}/${value.id}`),
  ]);
}

async function write(
  state: EcsState,
  task: Versioned<TaskRecord>,
  next: TaskRecord,
  beside: Parameters<EcsState['store']['txn']>[0]['success'],
): Promise<void> {
  await state.store.txn({
    compare: [state.tasks.ifUnchanged(task)],
    success: [state.tasks.put(idIn(next, next.id), next), ...beside],
  });
}

async function forgetWhenOld(
  state: EcsState,
  task: Versioned<TaskRecord>,
): Promise<void | { readonly afterMs: number }> {
  const left = (task.value.stoppedAt ?? 0) + STOPPED_VISIBLE_MS - state.clock.now();
  if (left > 0) return { afterMs: left };
  return state.tasks.delete(task.id);
}
