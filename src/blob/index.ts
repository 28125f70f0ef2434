export type * from './blob.ts';
export { openDiskBlobStore } from './disk/store.ts';
export { memoryBlobStore } from './memory/store.ts';
