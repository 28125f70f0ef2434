/** Why a signature was not accepted. Each wire format and service has its own words for these; see `edge/faults.ts`. */
export type SignatureFaultKind =
  | 'missing'
  | 'incomplete'
  | 'unknown-key'
  | 'wrong-token'
  | 'expired-token'
  | 'expired'
  | 'wrong-scope'
  | 'mismatch';

export class SignatureFault extends Error {
  readonly kind: SignatureFaultKind;
  constructor(kind: SignatureFaultKind, message: string) {
    super(message);
    this.name = 'SignatureFault';
    this.kind = kind;
  }
}
