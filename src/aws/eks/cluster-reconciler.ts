import type { Reconciler } from '#reconcile';
import type { Versioned } from '#store';
import type { BringUpParts } from './cluster/bring-up.ts';
import { clusterId, idIn } from './names.ts';
import type { ClusterRecord } from './records.ts';
import { finishUpdates } from './updates.ts';

/** How long the removal of a cluster's load balancers may take before it is tried again. */
const REMOVE_MS = 30_000;

/** Where `#kubernetes` keeps what a cluster stores: `cluster-settings.ts` there. */
function objectsPrefix({ account, id }: Pick<ClusterRecord, 'account' | 'id'>): string {
  return `kubernetes/${account}/${id}/`;
}

/** Keeps a control plane running for every cluster there is, and lets none outlive its record. */
export function clusterReconciler(parts: BringUpParts): Reconciler {
  const { state, clusters } = parts;
  const { prefix } = state.clusters;
  return {
    name: 'eks-clusters',
    sources: [{ prefix, keysOf: ({ key }) => [key.slice(prefix.length)] }],
    // One after another: two new clusters must not choose the same port.
    concurrency: 1,
    async reconcile(key) {
      const seen = await state.clusters.get(key);
      if (clusters.idOf(key) !== seen?.value.id) await forgetRunning(parts, key);
      if (seen?.value.status === 'DELETING') await remove(parts, seen);
      else if (seen && seen.value.status !== 'FAILED') await keepUp(parts, seen);
    },
  };
}

/** A cluster whose record vanished without being deleted: its account was forgotten. */
async function forgetRunning({ state, clusters, logs }: BringUpParts, key: string): Promise<void> {
  const id = await clusters.stop(key);
  if (id === undefined) return;
  await logs?.forget(id);
  const [account = ''] = key.split('/');
  await state.store.txn({
    success: [
      { kind: 'deletePrefix', prefix: objectsPrefix({ account, id }) },
      state.endedClusters.put(id, { tenant: account }),
    ],
  });
}

async function keepUp(parts: BringUpParts, seen: Versioned<ClusterRecord>): Promise<void> {
  const { state, clusters } = parts;
  const { value } = seen;
  if (!clusters.get(seen.id, value.id)) {
    const { bringUp } = await import('./cluster/bring-up.ts');
    const up = await bringUp(parts, value);
    if (!up) return;
    clusters.add(seen.id, value.id, up.running);
    const certificateAuthorityPem = up.keys.ca.certificatePem;
    await state.clusters.update(seen.id, (record) =>
      record.id !== value.id || record.certificateAuthorityPem ? record : { ...record, certificateAuthorityPem },
    );
  }
  // What is wanted of its logs may be what changed.
  parts.logs?.of(value);
  await settle(parts, seen.id, value.id);
}

/** Says that the cluster is as it was asked to be. */
async function settle({ state }: BringUpParts, key: string, id: string): Promise<void> {
  const seen = await state.clusters.get(key);
  if (seen?.value.id !== id || (seen.value.status !== 'CREATING' && seen.value.status !== 'UPDATING')) return;
  const scope = { ...seen.value, cluster: seen.value.name };
  await state.store.txn({
    compare: [state.clusters.ifUnchanged(seen)],
    success: [state.clusters.put(key, { ...seen.value, status: 'ACTIVE' }), ...(await finishUpdates(state, scope))],
  });
}

/** Stops the control plane and removes everything that was the cluster's. Its nodes are gone by then: the API saw to that. */
async function remove(parts: BringUpParts, seen: Versioned<ClusterRecord>): Promise<void> {
  const { state, clusters } = parts;
  const { value } = seen;
  await removeBalancers(parts, seen);
  await clusters.stop(seen.id);
  await parts.logs?.forget(value.id);
  const scope = { ...value, cluster: value.name };
  const below = idIn(scope, '');
  const collections = [state.accessEntries, state.podIdentities, state.addons, state.updates, state.nodes];
  await state.store.txn({
    compare: [state.clusters.ifPresent(seen.id)],
    success: [
      { kind: 'deletePrefix', prefix: objectsPrefix(value) },
      ...collections.map(({ prefix }) => ({ kind: 'deletePrefix' as const, prefix: prefix + below })),
      ...state.network.planDeleteSecurityGroup(value, value.securityGroupId),
      state.clusterKeys.remove(clusterId(value, value.name)),
      state.clusters.remove(seen.id),
      state.endedClusters.put(value.id, { tenant: value.account }),
    ],
  });
  state.logger.info('a cluster was deleted', { account: value.account, cluster: value.name });
}

/** Load balancers of services go with their cluster: nobody would look after them. */
async function removeBalancers(
  { state, clusters, balancers }: BringUpParts,
  seen: Versioned<ClusterRecord>,
): Promise<void> {
  const running = clusters.get(seen.id, seen.value.id);
  if (!running || !balancers) return;
  const [{ resources }, { loadBalancersOf }] = await Promise.all([
    import('#kubernetes'),
    import('./cluster/load-balancers.ts'),
  ]);
  const ours = loadBalancersOf({ state, balancers }, seen.value);
  const { items } = await running.client.list(resources.services);
  const balanced = items.filter((service) => service.spec?.type === 'LoadBalancer' && ours.isFor(service));
  await Promise.all(balanced.map((service) => ours.remove(service, AbortSignal.timeout(REMOVE_MS))));
}
