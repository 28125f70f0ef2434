import type { Container } from '#engine';
import type { ContainerSpec } from './sandbox.ts';

/** A dependency is met, may yet be (at the latest by some time), or never will be. */
export type DependencyState =
  | { readonly is: 'met' }
  | { readonly is: 'open'; readonly until?: number }
  | { readonly is: 'lost'; readonly why: string };

type Condition = ContainerSpec['dependsOn'][number]['condition'];

/** True once the container's process has run, whether or not it still does. */
export function hasRun(container: Container | undefined): container is Container {
  return container?.state.startedAt !== undefined;
}

/** True when the container's process has run and is over. */
export function hasEnded(container: Container | undefined): container is Container {
  return hasRun(container) && !['running', 'paused', 'restarting'].includes(container.state.status);
}

/** How a dependency on `spec` stands ("dependsOn" and "startTimeout", Amazon ECS task definition parameters). */
export function dependencyState(
  spec: ContainerSpec,
  condition: Condition,
  container: Container | undefined,
  now: number,
): DependencyState {
  if (!hasRun(container)) return { is: 'open' };
  const state = judge(spec, condition, container);
  if (state.is !== 'open' || spec.startTimeoutMs === undefined) return state;
  const until = container.state.startedAt! + spec.startTimeoutMs;
  if (now < until) return { is: 'open', until };
  return { is: 'lost', why: `container "${spec.name}" was not ${condition} within ${spec.startTimeoutMs / 1000} s` };
}

function judge(spec: ContainerSpec, condition: Condition, container: Container): DependencyState {
  const { exitCode, health } = container.state;
  const isOver = hasEnded(container);
  const lost = (): DependencyState => ({
    is: 'lost',
    why: `container "${spec.name}" exited with code ${exitCode} and was not ${condition}`,
  });
  switch (condition) {
    case 'START':
      return { is: 'met' };
    case 'COMPLETE':
      return isOver ? { is: 'met' } : { is: 'open' };
    case 'SUCCESS':
      if (!isOver) return { is: 'open' };
      return exitCode === 0 ? { is: 'met' } : lost();
    default:
      if (isOver) return lost();
      return health?.status === 'healthy' ? { is: 'met' } : { is: 'open' };
  }
}

/** Those of `running` that no other of them depends on: the next to be stopped, for dependents go first. */
export function nextToStop(running: readonly ContainerSpec[]): readonly ContainerSpec[] {
  const needed = new Set(running.flatMap(({ dependsOn }) => dependsOn.map(({ container }) => container)));
  const free = running.filter(({ name }) => !needed.has(name));
  // A circle cannot be registered; should there be one, everything goes at once rather than nothing ever.
  return free.length ? free : running;
}
