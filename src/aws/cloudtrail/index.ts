export { isReadOnly, userIdentityOf, type AuditRecord, type AuditResource, type UserIdentity } from './record.ts';
export { createCloudTrail } from './service.ts';
export { AuditTrail } from './trail.ts';
