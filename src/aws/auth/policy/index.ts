export { createAuthorizer, type AttachedPolicies, type PolicySource } from './authorizer.ts';
export { compilePolicy } from './compile.ts';
export { PolicyFault, parsePolicy, type PolicyUse } from './document.ts';
