import type { Container, Image } from '#engine';
import type { ContainerSpec, ContainerStatus, SandboxSpec, SandboxStatus } from './sandbox.ts';
import { hasEnded, hasRun } from './dependencies.ts';

const OUT_OF_MEMORY = 'OutOfMemoryError: Container killed due to memory usage';

export function initialStatus(sandbox: SandboxSpec): SandboxStatus {
  return {
    id: sandbox.id,
    phase: 'preparing',
    containers: sandbox.containers.map(({ name }) => ({ name, phase: 'pending', health: 'unknown' })),
  };
}

/** A container's status, given what the engine knows of it now and what was known before. A container that is over stays as it was. */
export function containerStatus(
  spec: ContainerSpec,
  container: Container | undefined,
  before: ContainerStatus,
): ContainerStatus {
  if (before.phase === 'stopped' || !container) return before;
  const { state } = container;
  const seen = {
    ...before,
    runtimeId: container.id,
    ...(state.startedAt !== undefined && { startedAt: state.startedAt }),
  };
  if (!hasRun(container)) return seen;
  if (!hasEnded(container)) return { ...seen, phase: 'running', health: healthOf(spec, container) };
  const reason = state.isOutOfMemory ? OUT_OF_MEMORY : state.error;
  return {
    ...seen,
    phase: 'stopped',
    health: healthOf(spec, container),
    ...(state.exitCode !== undefined && { exitCode: state.exitCode }),
    ...(state.isOutOfMemory && { isOutOfMemory: true }),
    ...(reason !== undefined && { reason }),
    ...(state.finishedAt !== undefined && { stoppedAt: state.finishedAt }),
  };
}

/** The digest of the manifest that `reference` was pulled by. */
export function manifestDigest(image: Image, reference: string): string | undefined {
  const [repository] = reference.split('@')[0]!.split(/:[^/]*$/);
  const ours = image.repoDigests.find((name) => name.slice(0, name.indexOf('@')).endsWith(repository!));
  return (ours ?? image.repoDigests[0])?.replace(/^.*@/, '');
}

function healthOf(spec: ContainerSpec, container: Container): ContainerStatus['health'] {
  const status = spec.healthCheck && container.state.health?.status;
  return status === 'healthy' || status === 'unhealthy' ? status : 'unknown';
}
