import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger, systemClock } from '#base';
import { openSqliteStore } from '#store';
import { createHostKubernetes } from './host-kubernetes.ts';
import { composeKernelParts } from './host.ts';
import { rememberedSettings, resolveSettings, type Layout } from './settings.ts';

/**
 * Removes what a crash of both processes left: containers, mounts, namespaces, rules. Only for when neither process lives. Returns false
 * when there was nothing: the runtime directory goes with the last kernel object.
 */
export async function removeLeftovers(layout: Layout): Promise<boolean> {
  if (!existsSync(layout.runtime)) return false;
  const store = openSqliteStore({ directory: join(layout.data, 'store'), clock: systemClock });
  try {
    const settings = resolveSettings({}, rememberedSettings(layout));
    const logger = silentLogger;
    const { engine, plane } = composeKernelParts(layout, settings, store, logger);
    await engine.destroy();
    const endpoint = `http://127.0.0.1:${settings.port}`;
    await createHostKubernetes({ layout, endpoint, store, engine, plane, logger }).destroy();
    await plane.destroy();
  } finally {
    await store.close();
  }
  await rm(layout.runtime, { recursive: true, force: true });
  return true;
}
