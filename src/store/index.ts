export * from './collection.ts';
export * from './errors.ts';
export type * from './store.ts';
