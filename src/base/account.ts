import type { Brand } from './brand.ts';
import { DabbaError } from './errors.ts';

/** A 12-digit AWS account id, which is also the tenant that owns a record anywhere in the product. */
export type AccountId = Brand<string, 'AccountId'>;

/** True if `text` has the form of an account id. */
export function isAccountId(text: string): text is AccountId {
  return /^\d{12}$/.test(text);
}

/** Throws `InvalidArgument` unless `text` is 12 digits. */
export function parseAccountId(text: string): AccountId {
  if (!isAccountId(text)) throw new DabbaError('InvalidArgument', `"${text}" is not a 12-digit account id`);
  return text;
}
