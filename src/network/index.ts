export * from './cidr.ts';
export type * from './model.ts';
export type * from './network.ts';
export * from './records.ts';
