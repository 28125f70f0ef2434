import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#base';
import { coverage } from '#aws';
import { dockerCoverage } from '#docker';
import { memoryStore } from '#store';
import { composeCloud } from './cloud.ts';
import type { ServiceCoverage } from './index.ts';
import { layoutOf, resolveSettings } from './settings.ts';

/** The Docker Engine API, which has no model to load but one table of routes. */
function dockerRow(): ServiceCoverage {
  const operations = dockerCoverage();
  const named = (isSupported: boolean) =>
    operations.filter((operation) => operation.isSupported === isSupported).map(({ operation }) => operation);
  return { service: 'docker', supported: named(true), missing: named(false) };
}

/** Composes the services over nothing and compares their handlers with their models. */
export async function computeCoverage(): Promise<readonly ServiceCoverage[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'dabba-coverage-'));
  try {
    const cloud = await composeCloud(layoutOf(scratch), resolveSettings({}, {}), silentLogger, {
      store: memoryStore(),
    });
    const table = await coverage(cloud.services);
    await cloud.close();
    return [...table, dockerRow()];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
