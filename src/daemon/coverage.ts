import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#base';
import { coverage } from '#aws';
import { memoryStore } from '#store';
import { composeCloud } from './cloud.ts';
import type { ServiceCoverage } from './index.ts';
import { layoutOf, resolveSettings } from './settings.ts';

/** Composes the services over nothing and compares their handlers with their models. */
export async function computeCoverage(): Promise<readonly ServiceCoverage[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'dabba-coverage-'));
  try {
    const cloud = await composeCloud(layoutOf(scratch), resolveSettings({}, {}), silentLogger, {
      store: memoryStore(),
    });
    const table = await coverage(cloud.services);
    await cloud.close();
    return table;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
