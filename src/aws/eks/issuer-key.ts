import { issuerOf } from './cluster-view.ts';
import type { EksState } from './state.ts';

/** The public key, in PEM, of the cluster whose tokens have this issuer; undefined for any other. */
export async function issuerKey(
  { clusters, clusterKeys }: Pick<EksState, 'clusters' | 'clusterKeys'>,
  issuer: string,
): Promise<string | undefined> {
  const found = (await clusters.list()).find(({ value }) => issuerOf(value) === issuer);
  const keys = found && (await clusterKeys.get(found.id));
  return keys?.value.clusterId === found?.value.id ? keys?.value.serviceAccountKey.publicKeyPem : undefined;
}
