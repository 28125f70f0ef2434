export * from './collection.ts';
export * from './errors.ts';
export { memoryStore } from './memory/store.ts';
export { type SqliteStoreOptions, openSqliteStore } from './sqlite/store.ts';
export type * from './store.ts';
