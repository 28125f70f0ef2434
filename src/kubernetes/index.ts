import type { Cluster, ClusterParts } from './cluster.ts';
import type { ClusterSettings } from './cluster-settings.ts';

export * from './auth/certificates.ts';
export { createSigningKey } from './auth/json-web-token.ts';
export type * from './auth/user.ts';
export type * from './client/client.ts';
export { HttpClient, type HttpClientOptions } from './client/http-client.ts';
export type * from './client/informer.ts';
export { type InformerParts, informersOf } from './client/informers.ts';
export type { ServedResources } from './client/served-resources.ts';
export type { Cluster, ClusterParts } from './cluster.ts';
export type * from './cluster-settings.ts';
export type { ControlPlaneLog, ControlPlaneLogs } from './control-plane-logs.ts';
export * from './object.ts';
export { milliValue, quantityValue } from './quantity.ts';
export * as resources from './resources.ts';
export * from './status.ts';
export type * as types from './types.ts';
export { MemoryClient } from './client/memory-client.ts';
export { MemoryInformers } from './client/memory-informers.ts';

/** Starts the control plane of a cluster: `startCluster` of `cluster.ts`. Its code is loaded with the first cluster. */
export async function createCluster(settings: ClusterSettings, parts: ClusterParts): Promise<Cluster> {
  const { startCluster } = await import('./cluster.ts');
  return await startCluster(settings, parts);
}
