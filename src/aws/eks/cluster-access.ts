import { clusterArn } from './names.ts';
import { endpointOf } from './cluster-view.ts';
import type { EksState } from './state.ts';

/** What a client needs to know to reach a cluster. */
export interface ClusterAccess {
  readonly name: string;
  readonly arn: string;
  readonly account: string;
  readonly region: string;
  readonly endpoint: string;
  /** PEM in base64. */
  readonly certificateAuthorityData: string;
}

/** Every cluster that has been up, of every account, in order. */
export async function clusterAccess(state: Pick<EksState, 'clusters'>): Promise<readonly ClusterAccess[]> {
  return (await state.clusters.list()).flatMap(({ value }) => {
    const endpoint = endpointOf(value);
    if (!endpoint || value.certificateAuthorityPem === undefined) return [];
    const { name, account, region } = value;
    const certificateAuthorityData = Buffer.from(value.certificateAuthorityPem).toString('base64');
    return { name, arn: clusterArn(value, name), account, region, endpoint, certificateAuthorityData };
  });
}
