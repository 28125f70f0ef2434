export * from './cidr.ts';
export type * from './model.ts';
export type * from './bridges.ts';
export * from './clusters.ts';
export type * from './network.ts';
export * from './records.ts';
export { routeTableOf } from './rules/internet-routes.ts';
export { internalDomain, privateDnsName, reversedAddress } from './dns/private-names.ts';
export type * from './dns/zone.ts';
