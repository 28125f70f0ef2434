import { forbiddenRequest } from '../../auth/forbidden.ts';
import type { Attributes } from '../../auth/user.ts';
import type { ApiParts } from '../parts.ts';
import type { Exchange } from './exchange.ts';

/** Decides whether the request may be served, and notes it for the audit log. Throws `Forbidden` in upstream's words. */
export async function authorize(
  { authorization }: Pick<ApiParts, 'authorization'>,
  exchange: Exchange,
  attributes: Attributes,
): Promise<void> {
  exchange.decision = await authorization.authorize(attributes);
  if (!exchange.decision.isAllowed) throw forbiddenRequest(attributes, exchange.decision.reason);
}
