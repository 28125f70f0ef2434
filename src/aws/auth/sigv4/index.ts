export type { SignedRequest } from './canonical.ts';
export { readClaim, type SignatureClaim } from './claim.ts';
export { SignatureFault, type SignatureFaultKind } from './fault.ts';
export { SignatureVerifier, type SigningSecret } from './verifier.ts';
