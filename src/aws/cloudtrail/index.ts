export { isReadOnly, userIdentityOf, type AuditRecord, type AuditResource, type UserIdentity } from './record.ts';
export { createCloudTrail, type CloudTrail } from './service.ts';
