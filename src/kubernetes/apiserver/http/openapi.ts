import type { ApiParts } from '../parts.ts';
import type { Exchange } from './exchange.ts';
import { notFoundPath } from './refusals.ts';

/** The published description of what a cluster serves. Throws `NotFound` for documents there are none of. */
export function serveOpenApi(_parts: ApiParts, _exchange: Exchange): void {
  throw notFoundPath();
}
