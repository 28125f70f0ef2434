import type { Reconciler } from '#reconcile';
import type { Operation, Versioned } from '#store';
import { dealOut } from './capacity-providers.ts';
import { tripped } from './circuit-breaker.ts';
import { idIn } from './names.ts';
import { asked, newTask, writesOf } from './new-task.ts';
import type { ServiceRecord, TaskRecord } from './records.ts';
import { planRollout, type RolloutPlan } from './rollout.ts';
import { sentences, withEvents } from './service-events.ts';
import { throttleOf } from './start-throttle.ts';
import { SERVICES_PREFIX, TASKS_PREFIX, type EcsState } from './state.ts';
import { findTaskDefinition } from './task-definitions.ts';
import { healthOf } from './task-view.ts';

/** Copies written in one transaction at most; the rest follow in the next step. */
const MAX_STARTS = 50;

/** Keeps each service at its desired count, and rolls it from one deployment to the next. */
export function serviceReconciler(state: EcsState): Reconciler {
  return {
    name: 'ecs-services',
    sources: [
      { prefix: SERVICES_PREFIX, keysOf: ({ key }) => [key.slice(SERVICES_PREFIX.length)] },
      { prefix: TASKS_PREFIX, keysOf: ({ value, previous }) => serviceOfTask(value ?? previous) },
    ],
    concurrency: 8,
    async reconcile(key) {
      const service = await state.services.get(key);
      if (!service || service.value.status === 'INACTIVE') return;
      const tasks = await tasksOf(state, service.value);
      return service.value.status === 'DRAINING' ? drain(state, service, tasks) : schedule(state, service, tasks);
    },
  };
}

function serviceOfTask(bytes: Uint8Array | undefined): readonly string[] {
  if (!bytes) return [];
  // Written by the collection of tasks, the only writer below its prefix.
  const task = JSON.parse(Buffer.from(bytes).toString('utf8')) as TaskRecord;
  return task.group.startsWith('service:') ? [idIn(task, task.group.slice('service:'.length))] : [];
}

/** Every task of a service that is on record, the stopped ones too. */
export async function tasksOf(state: EcsState, service: ServiceRecord): Promise<Versioned<TaskRecord>[]> {
  return await state.taskGroups.of(service, `service:${service.name}`);
}

const isAlive = ({ value }: Versioned<TaskRecord>) => value.desiredStatus === 'RUNNING';

/** A deleted service ends with its last task. */
async function drain(
  state: EcsState,
  service: Versioned<ServiceRecord>,
  tasks: readonly Versioned<TaskRecord>[],
): Promise<void> {
  const alive = tasks.filter(isAlive);
  if (alive.length) return commit(state, service, service.value, { stop: alive, start: [] });
  if (tasks.every(({ value }) => value.lastStatus === 'STOPPED'))
    await commit(state, service, { ...service.value, status: 'INACTIVE', deployments: [] }, { stop: [], start: [] });
}

async function schedule(
  state: EcsState,
  service: Versioned<ServiceRecord>,
  tasks: readonly Versioned<TaskRecord>[],
): Promise<void | { readonly afterMs: number }> {
  const now = state.clock.now();
  const values = tasks.map(({ value }) => value);
  const alive = tasks.filter(isAlive);
  const sick = alive.filter(({ value }) => healthOf(value) === 'UNHEALTHY');
  const plan = planRollout(
    service.value,
    alive.filter((task) => !sick.includes(task)).map(({ value }) => value),
  );
  const throttle = throttleOf(values, service.value.deployments[0]?.id);
  const breaker = tripped(service.value, throttle, now);
  if (breaker) {
    const next = withEvents({ ...breaker.service, isSteady: false }, breaker.messages, { random: state.random, now });
    return commit(state, service, next, { stop: [], start: [] });
  }
  const waitMs = plan.start > 0 ? throttle.nextStartAt - now : 0;
  const started = waitMs > 0 ? [] : await newCopies(state, service.value, plan.start, alive.length);
  const stopped = alive.filter(({ value }) => plan.stop.includes(value));
  const messages = [
    ...sick.map(({ value }) => sentences.unhealthy(service.value, value)),
    ...(started.length ? [sentences.started(service.value, started)] : []),
    ...(stopped.length
      ? [
          sentences.stopped(
            service.value,
            stopped.map(({ value }) => value),
          ),
        ]
      : []),
    ...(throttle.isConsistent
      ? saidOnce(service.value, sentences.unableToStart(service.value), throttle.failures)
      : []),
    ...(plan.start > 0 && service.value.launchType !== 'FARGATE'
      ? saidOnce(service.value, sentences.noInstances(service.value), [])
      : []),
  ];
  const next = advance(withEvents(service.value, messages, { random: state.random, now }), plan, state);
  await commit(state, service, next, { stop: [...sick, ...stopped], start: started }, new Set(sick));
  if (waitMs > 0) return { afterMs: waitMs };
}

/** A complaint is made once for a row of failures. */
function saidOnce(service: ServiceRecord, message: string, failures: readonly TaskRecord[]): string[] {
  const since = Math.min(...failures.map(({ createdAt }) => createdAt));
  const [primary] = service.deployments;
  const before = service.events.find((event) => event.message === message);
  const isNews = !before || before.createdAt < (Number.isFinite(since) ? since : (primary?.createdAt ?? 0));
  return isNews ? [message] : [];
}

/** Deployments and steadiness as the plan finds them. */
function advance(service: ServiceRecord, plan: RolloutPlan, { clock, random }: EcsState): ServiceRecord {
  const now = clock.now();
  const [primary, ...older] = service.deployments;
  if (!plan.isComplete) return service.isSteady ? { ...service, isSteady: false } : service;
  if (!primary || service.isSteady) return service;
  const isDone = primary.rolloutState === 'COMPLETED' && !older.length;
  const messages = [...(isDone ? [] : [sentences.completed(service, primary.id)]), sentences.steady(service)];
  const completed = {
    ...primary,
    rolloutState: 'COMPLETED' as const,
    rolloutStateReason: `ECS deployment ${primary.id} completed.`,
    updatedAt: isDone ? primary.updatedAt : now,
  };
  return withEvents({ ...service, deployments: [completed], isSteady: true }, messages, { random, now });
}

async function newCopies(
  state: EcsState,
  service: ServiceRecord,
  count: number,
  present: number,
): Promise<readonly TaskRecord[]> {
  const [primary] = service.deployments;
  // Container instances cannot be registered yet, so copies that want one wait.
  if (!primary || count === 0 || service.launchType !== 'FARGATE') return [];
  const found = await findTaskDefinition(state, service, primary.taskDefinitionArn);
  if (!found) return [];
  const providers = service.capacityProviderStrategy ? dealOut(service.capacityProviderStrategy, present + count) : [];
  const tags = {
    ...(service.propagateTags === 'SERVICE' ? service.tags : {}),
    ...(service.propagateTags === 'TASK_DEFINITION' ? found.value.tags : {}),
    ...(service.enableECSManagedTags
      ? { 'aws:ecs:clusterName': service.cluster, 'aws:ecs:serviceName': service.name }
      : {}),
  };
  return Array.from({ length: Math.min(count, MAX_STARTS) }, (_, index) =>
    newTask(state, {
      account: service.account,
      region: service.region,
      cluster: service.cluster,
      taskDefinition: found.value.definition,
      launchType: service.launchType,
      capacityProviderName: providers[present + index],
      network: primary.network,
      group: `service:${service.name}`,
      startedBy: primary.id,
      enableExecuteCommand: service.enableExecuteCommand,
      tags,
    }),
  );
}

/** One transaction for the whole step. If anything it rests on changed meanwhile, that change brings the service here again. */
async function commit(
  state: EcsState,
  seen: Versioned<ServiceRecord>,
  next: ServiceRecord,
  tasks: { readonly start: readonly TaskRecord[]; readonly stop: readonly Versioned<TaskRecord>[] },
  sick: ReadonlySet<Versioned<TaskRecord>> = new Set(),
): Promise<void> {
  const now = state.clock.now();
  const ended = (task: Versioned<TaskRecord>): Operation => {
    const stoppedReason = sick.has(task)
      ? 'Task failed container health checks'
      : `Scaling activity initiated by (deployment ${task.value.startedBy})`;
    return state.tasks.put(task.id, asked(task.value, { stopCode: 'ServiceSchedulerInitiated', stoppedReason }, now));
  };
  const success = [
    ...(next === seen.value ? [] : [state.services.put(seen.id, next)]),
    ...tasks.start.flatMap((task) => writesOf(state, task)),
    ...tasks.stop.map(ended),
  ];
  if (!success.length) return;
  await state.store.txn({
    compare: [state.services.ifUnchanged(seen), ...tasks.stop.map((task) => state.tasks.ifUnchanged(task))],
    success,
  });
}
