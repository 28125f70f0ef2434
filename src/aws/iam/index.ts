export { checkPolicy } from './checks.ts';
export type { Directory } from './directory.ts';
export { policyDocument } from './grants.ts';
export { openIam, type Iam, type IamOptions } from './iam.ts';
export { findRole, rolePrincipal, type RootKey } from './identities.ts';
export type { SessionMaker } from './sessions.ts';
export { instanceProfiles } from './instance-profiles.ts';
export { findOidcProvider, oidcProviderArn } from './oidc-providers.ts';
