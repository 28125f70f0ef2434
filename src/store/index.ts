export * from './collection.ts';
export * from './errors.ts';
export { memoryStore } from './memory/store.ts';
export { type RemoteStoreOptions, connectRemoteStore } from './remote/client.ts';
export { type RemoteClient, type StoreRights, prefixRights } from './remote/rights.ts';
export { type RemoteStoreServerOptions, serveRemoteStore } from './remote/server.ts';
export { type SqliteStoreOptions, openSqliteStore } from './sqlite/store.ts';
export type * from './store.ts';
