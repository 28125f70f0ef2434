import { storeContract } from '../store.contract.ts';
import { memoryStore } from './store.ts';

storeContract('the memory store', async ({ clock }) => memoryStore({ clock }));
