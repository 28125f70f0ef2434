export { createRegistryContent } from './content.ts';
export { type MissingContent, RegistryError, type RegistryErrorCode } from './errors.ts';
export { garbageReconciler } from './garbage.ts';
export { idOf as repositoryKey } from './records.ts';
export type * from './registry.ts';
export { createRegistry, type RegistryOptions } from './server.ts';
