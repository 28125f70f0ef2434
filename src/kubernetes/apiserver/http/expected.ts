import { bodySchema } from '../operations/patch.ts';
import { type ApiParts, type NamedCall, schemaOf } from '../parts.ts';
import type { Expected } from './body.ts';

/** What the body of a write is, by its URL. */
export function expectedOf(parts: ApiParts, call: NamedCall): Expected {
  if (call.subresource === 'scale')
    return { kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, schema: bodySchema(parts, call) };
  return { kind: call.version, schema: schemaOf(parts, call) };
}
