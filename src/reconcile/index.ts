export { KeyedQueue, type KeyedQueueOptions } from './queue.ts';
export type * from './reconcile.ts';
export { type RunReconcilersOptions, runReconcilers } from './run.ts';
