export type * from './ports.ts';
export * from '../proxy/machine-proxies.ts';
export * from '../proxy/proxy.ts';
