import type { Patch } from '../../client/client.ts';
import { parseBody } from '../../schema/decode.ts';
import { StatusError } from '../../status.ts';
import { changeOf } from '../operations/patch.ts';
import type { Change } from '../operations/update.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { decodeOutcome, mediaTypeOf } from './body.ts';
import { type Exchange, flag } from './exchange.ts';
import { expectedOf } from './expected.ts';

const kinds: { readonly [type: string]: Patch['kind'] } = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** The change that the body of a PATCH asks for. Throws `UnsupportedMediaType`, `BadRequest`. */
export function patchOf(parts: ApiParts, exchange: Exchange, call: NamedCall, body: Buffer): Change {
  const kind = kinds[mediaTypeOf(exchange)];
  if (!kind)
    throw new StatusError(
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${Object.keys(kinds).join(', ')}`,
    );
  const patch = readPatch(kind, body.toString());
  const expected = expectedOf(parts, call);
  return changeOf(parts, call, patch, {
    isForced: flag(exchange, 'force'),
    check: (outcome) => decodeOutcome(exchange, outcome, expected),
  });
}

function readPatch(kind: Patch['kind'], text: string): Patch {
  const { value } = parseBody(text, { findsDuplicates: false });
  if (kind === 'json') {
    if (!Array.isArray(value))
      throw new StatusError('BadRequest', 'json: cannot unmarshal object into Go value of type jsonpatch.Patch');
    return { kind, body: value as object[] };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StatusError('BadRequest', 'json: cannot unmarshal array into Go value of type map[string]interface {}');
  return { kind, body: value };
}
