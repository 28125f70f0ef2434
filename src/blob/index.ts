export type * from './blob.ts';
