import { isDigest, type Digest } from '#base';
import { RegistryError } from './errors.ts';

/** OCI distribution specification, "Pulling manifests": the forms of `<name>` and of a tag. */
const name = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tag = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const NAME_LENGTH = 256;

/** Throws `NAME_INVALID` unless `text` may name a repository. */
export function parseName(text: string): string {
  if (text.length > NAME_LENGTH || !name.test(text))
    throw new RegistryError('NAME_INVALID', `"${text.slice(0, NAME_LENGTH)}" cannot name a repository`);
  return text;
}

/** Throws `TAG_INVALID` unless `text` may be a tag. */
export function parseTag(text: string): string {
  if (!tag.test(text)) throw new RegistryError('TAG_INVALID', `"${text.slice(0, 128)}" cannot be a tag`);
  return text;
}

/** Throws `DIGEST_INVALID` unless `text` is a digest. */
export function parseDigestOf(text: string): Digest {
  if (!isDigest(text))
    throw new RegistryError('DIGEST_INVALID', `"${text.slice(0, 140)}" is not a sha256 or sha512 digest`);
  return text;
}

/** A reference with a colon is a digest, any other a tag: a tag cannot hold one. */
export function isDigestReference(reference: string): boolean {
  return reference.includes(':');
}
