export type * from './reconcile.ts';
