/** Brings one cluster's control plane up. Loaded with the first cluster: everything of Kubernetes comes with it. */
import { createAuthority, createSigningKey } from '#kubernetes';
import { clusterId } from '../names.ts';
import type { ClusterKeys, ClusterRecord } from '../records.ts';
import type { ClusterStarter, RunningCluster } from '../running-clusters.ts';
import { choosePort } from './port-choice.ts';
import { portsOf, type PortParts } from './ports.ts';
import { settingsOf } from './settings.ts';

export interface BringUpParts extends PortParts {
  readonly startCluster: ClusterStarter;
}

/**
 * Starts the API server, with the keys and at the port that the cluster always has; makes and records them first. May run again after any crash. Returns undefined
 * when the cluster's record changed meanwhile, which brings it here again.
 */
export async function bringUp(
  parts: BringUpParts,
  record: ClusterRecord,
): Promise<{ readonly running: RunningCluster; readonly keys: ClusterKeys; readonly port: number } | undefined> {
  const keys = await keysOf(parts, record);
  const port = record.port ?? (await portOf(parts, record));
  if (port === undefined) return undefined;
  const running = await parts.startCluster(settingsOf({ ...record, port }, keys), portsOf(parts, record));
  return { running, keys, port };
}

async function keysOf({ state }: BringUpParts, record: ClusterRecord): Promise<ClusterKeys> {
  const id = clusterId(record, record.name);
  const known = await state.clusterKeys.get(id);
  if (known?.value.clusterId === record.id) return known.value;
  const keys: ClusterKeys = {
    clusterId: record.id,
    ca: await createAuthority('kubernetes', state),
    serviceAccountKey: createSigningKey(),
  };
  // Only one worker looks after a cluster, so nobody else made them meanwhile.
  await state.store.txn({ success: [state.clusterKeys.put(id, keys)] });
  return keys;
}

async function portOf({ state }: BringUpParts, record: ClusterRecord): Promise<number | undefined> {
  const all = await state.clusters.list();
  const taken = new Set(all.flatMap(({ value }) => value.port ?? []));
  const port = await choosePort(taken, state.random);
  const seen = all.find(({ id }) => id === clusterId(record, record.name));
  if (seen?.value.id !== record.id) return undefined;
  const { succeeded } = await state.store.txn({
    compare: [state.clusters.ifUnchanged(seen)],
    success: [state.clusters.put(seen.id, { ...seen.value, port })],
  });
  return succeeded ? port : undefined;
}
