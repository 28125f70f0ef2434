import { SignatureFault, type Identities, type SignatureVerifier } from '../auth/index.ts';
import type { Call } from './call.ts';

/** Fills in the principal, which the signature proves. Operations that need no signature get an anonymous one. Throws `SignatureFault`. */
export async function authenticate(
  call: Call,
  identities: Pick<Identities, 'find' | 'hasExpired'>,
  verifier: SignatureVerifier,
): Promise<void> {
  const { claim } = call;
  if (!claim) {
    if (!call.service!.definition.unsigned?.includes(call.wireCall!.operation.name))
      throw new SignatureFault('missing', 'Missing Authentication Token');
    call.principal = { kind: 'anonymous' };
    return;
  }
  const key = await identities.find(claim.accessKeyId);
  if (!key)
    throw identities.hasExpired(claim.accessKeyId)
      ? new SignatureFault('expired-token', 'The security token included in the request is expired')
      : new SignatureFault('unknown-key', 'The security token included in the request is invalid.');
  verifier.verify(call.http, claim, key, call.startedAt);
  call.principal = key.principal;
}
