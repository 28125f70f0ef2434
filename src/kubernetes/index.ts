export type * from './auth/user.ts';
export type * from './client/client.ts';
export type * from './client/informer.ts';
export type * from './cluster-settings.ts';
export * from './object.ts';
export * as resources from './resources.ts';
export * from './status.ts';
export type * as types from './types.ts';
