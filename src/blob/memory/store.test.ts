import { blobContract } from '../blob.contract.ts';
import { memoryBlobStore } from './store.ts';

blobContract('memory', async () => ({ store: memoryBlobStore(), [Symbol.asyncDispose]: async () => undefined }));
