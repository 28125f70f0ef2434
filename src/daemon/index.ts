/**
 * Light entry: a command that only asks for status must not load the services. What is heavy is imported when it is called.
 */
import type { Layout, Settings } from './settings.ts';

export { clustersOf, type ClusterAccess } from './clusters.ts';
export { announcement, announcing } from './announcer.ts';
export { forgetState, takeDown } from './down.ts';
export { publishBaseImage, publishedBaseImages, type BaseImage } from './gallery-client.ts';
export { livingProcess } from './process-file.ts';
export {
  layoutOf,
  rememberedSettings,
  resolveSettings,
  type Layout,
  type Settings,
  type SettingsInput,
} from './settings.ts';
export { subordinateIds } from './subordinate-ids.ts';
export { statusOf, type DaemonStatus, type HostStatus } from './status.ts';

/** Runs the control plane in this process until it is told to go down; starts the host process beside it, or adopts a living one. */
export async function runControlPlane(layout: Layout, settings: Settings): Promise<void> {
  const { runControlPlane: run } = await import('./control-plane.ts');
  await run(layout, settings);
}

/**
 * Loads what both processes load, so that Node compiles it and keeps the result: a first start is then as quick and as small as any. Without it the
 * first processes of a new checkout carry the type stripper, some 25 MB each.
 */
export async function fillCompileCache(): Promise<void> {
  await Promise.all([
    import('./control-plane.ts'),
    import('./host-main.ts'),
    import('./run-host.ts'),
    import('./leftovers.ts'),
  ]);
}

/** Operations per service that work and that are missing, computed from the models and the handlers. */
export async function computeCoverage(): Promise<readonly ServiceCoverage[]> {
  const { computeCoverage: compute } = await import('./coverage.ts');
  return await compute();
}

/** One row of the coverage table. */
export interface ServiceCoverage {
  readonly service: string;
  readonly supported: readonly string[];
  readonly missing: readonly string[];
}
