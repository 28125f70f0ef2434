export { createKubelets, kubeletRecords, kubeletSocket, type Kubelets, type KubeletsOptions } from './kubelets.ts';
export type * from './ports.ts';
export * from '../proxy/machine-proxies.ts';
export * from '../proxy/proxy.ts';
export { HttpClient } from '../client/http-client.ts';
export { informersOf } from '../client/informers.ts';
