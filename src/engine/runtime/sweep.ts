import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '#kernel';
import type { Instance } from './instance.ts';
import { clearMapped } from './mapped-mounts.ts';
import { findMonitors } from './monitors.ts';
import type { Runtime } from './runtime.ts';

/** Removes what no container accounts for: runc's records, bundles, and the leavings of execs whose conmon is gone. */
export async function sweep(runtime: Runtime, instances: readonly Instance[]): Promise<void> {
  const { runc, bundlesDirectory, execsDirectory, mappedDirectory } = runtime;
  const known = new Set(instances.map(({ id }) => id));
  for (const id of await namesIn(runc.root)) if (!known.has(id)) await runc.delete(id);
  const mapped = new Set(instances.map(({ folder }) => folder.mapped));
  for (const name of await namesIn(mappedDirectory)) {
    const path = join(mappedDirectory, name);
    if (!mapped.has(path)) clearMapped(path);
  }
  const bundles = new Set(instances.map(({ folder }) => folder.bundle));
  for (const name of await namesIn(bundlesDirectory)) {
    const bundle = join(bundlesDirectory, name);
    if (!bundles.has(bundle)) await rm(bundle, { recursive: true, force: true });
  }
  const living = new Set(findMonitors(runc.root).map(({ bundle }) => bundle));
  for (const name of await namesIn(execsDirectory)) {
    const bundle = join(execsDirectory, name);
    if (!living.has(bundle)) await rm(bundle, { recursive: true, force: true });
  }
}
