import type { ApiParts, Call } from '../parts.ts';
import type { Exchange } from './exchange.ts';
import { type Negotiated, negotiate } from './negotiate.ts';

/** The form that the client wants of those there are of what the call answers. */
export function negotiatedFor({ schemas }: ApiParts, exchange: Exchange, call: Call): Negotiated {
  const { resource, version, subresource } = call;
  const isOfOwnKind = !['scale', 'post'].includes(resource.subresources.get(subresource ?? '')?.kind ?? '');
  const isCustom = version.schema !== undefined || resource.schema !== undefined;
  const hasProtobuf = isOfOwnKind ? !isCustom && schemas.hasProtobuf(version) : true;
  return negotiate(exchange.request.headers.accept, hasProtobuf);
}
