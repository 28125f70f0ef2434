import { isDabbaError, messageOf } from '#base';
import type { Container } from '#engine';
import type { WorkerContext } from '../context.ts';
import { type DependencyState, dependencyState, hasRun } from '../dependencies.ts';
import { SandboxFailed, cannotStart } from '../failure.ts';
import { findContainers } from '../identity.ts';
import type { ContainerSpec, SandboxSpec } from '../sandbox.ts';
import { containerStatus } from '../status.ts';
import type { StatusWriter } from '../status-writer.ts';
import { together } from '../together.ts';
import { cgroupOf, prepare } from './prepare.ts';

/** What a sandbox that is meant to run is brought to, from wherever it is. Throws `SandboxFailed` when it cannot run, or no longer does. */
export async function advance(
  context: WorkerContext,
  sandbox: SandboxSpec,
  { status, signal }: { readonly status: StatusWriter; readonly signal: AbortSignal },
): Promise<void | { readonly afterMs: number }> {
  let containers = await findContainers(context.engine.containers, sandbox);
  if (status.current.phase !== 'running' && containers.size < sandbox.containers.length) {
    await prepare(context, sandbox, { status, existing: containers, signal });
    containers = await findContainers(context.engine.containers, sandbox);
  }
  for (;;) {
    observe(context, sandbox, { status, containers });
    const { ready, until } = startable(sandbox, { status, containers, now: context.clock.now() });
    if (!ready.length) return finish(context, sandbox, { status, until });
    status.update({ phase: 'starting' });
    await together(
      signal,
      ready.map((container) => (stop) => start(context, sandbox, container, { containers, status, signal: stop })),
    );
    containers = await findContainers(context.engine.containers, sandbox);
  }
}

/** Takes what the engine knows into the status, and sees to the logs. An essential container that is over ends the sandbox. */
function observe(
  { logs }: WorkerContext,
  sandbox: SandboxSpec,
  { status, containers }: { readonly status: StatusWriter; readonly containers: ReadonlyMap<string, Container> },
): void {
  for (const spec of sandbox.containers) {
    const container = containers.get(spec.name);
    if (hasRun(container)) logs.follow(sandbox, spec, container.id);
    const before = status.container(spec.name);
    const isGone = !container && before.phase === 'running';
    status.updateContainer(
      spec.name,
      isGone ? { phase: 'stopped', reason: 'the container is gone' } : containerStatus(spec, container, before),
    );
  }
  const ended = sandbox.containers.find((spec) => spec.isEssential && status.container(spec.name).phase === 'stopped');
  if (ended)
    throw new SandboxFailed({
      kind: 'essential-container-exited',
      message: 'Essential container in task exited',
    });
}

/** Containers whose turn it is, and when at the latest a dependency has to be looked at again. */
function startable(
  sandbox: SandboxSpec,
  {
    status,
    containers,
    now,
  }: { readonly status: StatusWriter; readonly containers: ReadonlyMap<string, Container>; readonly now: number },
): { readonly ready: readonly ContainerSpec[]; readonly until: number | undefined } {
  let until: number | undefined;
  const specOf = (name: string) => sandbox.containers.find((spec) => spec.name === name)!;
  const stateOf = ({ container, condition }: ContainerSpec['dependsOn'][number]): DependencyState =>
    status.container(container).phase === 'stopped' && !hasRun(containers.get(container))
      ? { is: 'lost', why: `container "${container}" did not start` }
      : dependencyState(specOf(container), condition, containers.get(container), now);
  const ready = sandbox.containers.filter((spec) => {
    if (hasRun(containers.get(spec.name)) || status.container(spec.name).phase === 'stopped') return false;
    const states = spec.dependsOn.map(stateOf);
    for (const state of states) {
      if (state.is === 'lost')
        throw new SandboxFailed(
          { kind: 'failed-to-start', message: `container "${spec.name}" cannot start: ${state.why}` },
          spec.name,
        );
      if (state.is === 'open' && state.until !== undefined) until = Math.min(until ?? Infinity, state.until);
    }
    return states.every(({ is }) => is === 'met');
  });
  return { ready, until };
}

async function start(
  { engine, logs }: WorkerContext,
  sandbox: SandboxSpec,
  spec: ContainerSpec,
  {
    containers,
    status,
    signal,
  }: {
    readonly containers: ReadonlyMap<string, Container>;
    readonly status: StatusWriter;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  signal.throwIfAborted();
  const { id } = containers.get(spec.name)!;
  try {
    await engine.containers.start(id);
    logs.follow(sandbox, spec, id);
  } catch (error) {
    if (isDabbaError(error, 'Unavailable')) throw error;
    const message = messageOf(error);
    if (spec.isEssential) throw cannotStart('CannotStartContainerError', message, spec.name);
    status.updateContainer(spec.name, { phase: 'stopped', reason: `CannotStartContainerError: ${message}` });
  }
}

/** Nothing is left to be started now: either everything has been, or something waits for what it depends on. */
function finish(
  context: WorkerContext,
  sandbox: SandboxSpec,
  { status, until }: { readonly status: StatusWriter; readonly until: number | undefined },
): void | { readonly afterMs: number } {
  if (status.current.containers.every(({ phase }) => phase !== 'pending')) {
    if (status.current.phase === 'running') return undefined;
    context.cgroups.capCpu(cgroupOf(context, sandbox), sandbox);
    status.update({ phase: 'running', startedAt: context.clock.now() });
    return undefined;
  }
  return until === undefined ? undefined : { afterMs: Math.max(0, until - context.clock.now()) };
}
