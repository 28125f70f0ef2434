import type { Versioned } from '#store';
import type { CallContext } from '../service.ts';
import { clusterId, invalidRequest, notFound } from './names.ts';
import type { ClusterRecord } from './records.ts';
import type { EksState } from './state.ts';

/** The cluster a request names. Throws `ResourceNotFoundException`. */
export async function findCluster(
  state: Pick<EksState, 'clusters'>,
  context: CallContext,
  name: string | undefined,
): Promise<Versioned<ClusterRecord>> {
  const seen = await state.clusters.get(clusterId(context, name ?? ''));
  if (!seen) throw notFound(`No cluster found for name: ${name}.`);
  return seen;
}

/** The cluster a request adds to or changes. Throws also when it is not ready for that. */
export async function findActiveCluster(
  state: Pick<EksState, 'clusters'>,
  context: CallContext,
  name: string | undefined,
): Promise<Versioned<ClusterRecord>> {
  const seen = await findCluster(state, context, name);
  if (seen.value.status !== 'ACTIVE' && seen.value.status !== 'UPDATING')
    throw invalidRequest(`Cluster '${name}' is not in ACTIVE status`);
  return seen;
}
