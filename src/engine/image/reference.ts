import { DabbaError, type Digest, isDigest } from '#base';

/** A normalised image reference (distribution's reference grammar, with Docker's defaults filled in). */
export interface ImageReference {
  /** Registry host, with a port if one was given: `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** Path within the registry: `library/debian`. */
  readonly repository: string;
  /** Absent when the reference names a digest. */
  readonly tag?: string;
  readonly digest?: Digest;
}

const hostForm =
  /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::\d+)?$/;
const pathForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagForm = /^\w[\w.-]{0,127}$/;
const longestName = 255;

const defaultHost = 'docker.io';
const legacyHost = 'index.docker.io';
const officialPrefix = 'library/';

/**
 * Reads a reference as Docker does: `debian` is `docker.io/library/debian:latest`. A digest makes the tag superfluous, and it is dropped.
 * Throws `InvalidArgument` in Docker's words.
 */
export function parseReference(text: string): ImageReference {
  if (/^[0-9a-f]{64}$/.test(text))
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const { name, tag, digest } = takeApart(text);
  const { host, repository } = splitName(name);
  if (!hostForm.test(host)) throw invalid('invalid reference format');
  if (!pathForm.test(repository)) {
    const isOnlyCase = pathForm.test(repository.toLowerCase());
    throw invalid(`invalid reference format${isOnlyCase ? `: repository name (${repository}) must be lowercase` : ''}`);
  }
  if (host.length + 1 + repository.length > longestName)
    throw invalid(`repository name must not be more than ${longestName} characters`);
  if (tag !== undefined && !tagForm.test(tag)) throw invalid('invalid reference format');
  if (digest === undefined) return { host, repository, tag: tag ?? 'latest' };
  if (!isDigest(digest))
    throw invalid(digest.includes(':') ? 'invalid checksum digest format' : 'invalid reference format');
  return { host, repository, digest };
}

/** `debian` when `text` is a reference, undefined when it is none. */
export function tryParseReference(text: string): ImageReference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (error instanceof DabbaError) return undefined;
    throw error;
  }
}

/** The whole reference: `docker.io/library/debian:latest`. */
export function formatReference(reference: ImageReference): string {
  return repositoryOf(reference) + suffixOf(reference);
}

/** Host and repository: `docker.io/library/debian`. */
export function repositoryOf({ host, repository }: ImageReference): string {
  return `${host}/${repository}`;
}

/** As people write it and Docker shows it: `debian:latest`. */
export function familiarReference(reference: ImageReference): string {
  return familiarRepository(reference) + suffixOf(reference);
}

/** As people write it, without tag and digest: `debian`. */
export function familiarRepository({ host, repository }: ImageReference): string {
  if (host !== defaultHost) return `${host}/${repository}`;
  const isOfficial = repository.startsWith(officialPrefix) && !repository.slice(officialPrefix.length).includes('/');
  return isOfficial ? repository.slice(officialPrefix.length) : repository;
}

/** Tag or digest as a registry's manifest path has it. */
export function manifestNameOf({ tag, digest }: ImageReference): string {
  return digest ?? tag ?? 'latest';
}

function suffixOf({ tag, digest }: ImageReference): string {
  return digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`;
}

function takeApart(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const rest = at < 0 ? text : text.slice(0, at);
  // A colon before a slash belongs to the host's port.
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  return colon < 0
    ? { name: rest, tag: undefined, digest }
    : { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

/** The first component is a host if it looks like one; otherwise the host is Docker Hub. */
function splitName(name: string): { host: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  const host = isHost && first !== legacyHost ? first : defaultHost;
  const rest = isHost ? name.slice(slash + 1) : name;
  return { host, repository: host === defaultHost && !rest.includes('/') ? officialPrefix + rest : rest };
}

function invalid(message: string): DabbaError {
  return new DabbaError('InvalidArgument', message);
}
