import { algorithmOf, DabbaError, type Digest, Digester } from '#base';

export type Pieces = AsyncIterable<Buffer> | Iterable<Buffer>;

/** Passes bytes on and throws `InvalidArgument` in the end unless they have the digest expected; costs nothing when none is. */
export function verified(source: Pieces, what: string, expected: Digest | undefined): Pieces {
  return expected === undefined ? source : verifying(source, what, expected);
}

async function* verifying(source: Pieces, what: string, expected: Digest): AsyncGenerator<Buffer, void> {
  const digester = new Digester(algorithmOf(expected));
  for await (const chunk of source) {
    digester.update(chunk);
    yield chunk;
  }
  const actual = digester.digest();
  if (actual !== expected) throw new DabbaError('InvalidArgument', `${what} has digest ${actual}, not ${expected}`);
}
