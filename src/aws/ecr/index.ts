export { createEcr, type Ecr, type EcrOptions } from './service.ts';
export { registryHost, type RegistryScope } from './hosts.ts';
export type { EcrAuditEvent } from './registry-policy.ts';
