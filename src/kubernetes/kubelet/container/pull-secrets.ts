import type * as types from '../../types.ts';

/** What an image pull secret says of one registry. */
export interface PullCredentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Credentials that pull secrets hold for an image, most specific first ("Pull an Image from a Private Registry", Kubernetes documentation). Secrets of other types, and what
 * is no JSON, are passed over, as upstream does.
 */
export function credentialsFor(image: string, secrets: readonly types.Secret[]): readonly PullCredentials[] {
  const repository = withHost(image);
  return secrets
    .flatMap(entriesOf)
    .filter(({ place }) => isBeneath(place, repository))
    .sort((a, b) => b.place.length - a.place.length)
    .map(({ credentials }) => credentials);
}

interface Entry {
  readonly place: string;
  readonly credentials: PullCredentials;
}

function entriesOf({ type, data }: types.Secret): readonly Entry[] {
  const config = type === 'kubernetes.io/dockerconfigjson' ? parse(data?.['.dockerconfigjson']) : undefined;
  const auths = config ? memberOf(config, 'auths') : parse(data?.['.dockercfg']);
  if (!auths) return [];
  return Object.entries(auths).flatMap(([place, value]) => {
    const credentials = isRecord(value) ? credentialsOf(value) : undefined;
    return credentials ? [{ place: normalise(place), credentials }] : [];
  });
}

function credentialsOf(entry: { readonly [name: string]: unknown }): PullCredentials | undefined {
  const { username, password, auth } = entry;
  if (typeof username === 'string' && typeof password === 'string') return { username, password };
  if (typeof auth !== 'string') return undefined;
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** `https://index.docker.io/v1/` stands for Docker Hub; elsewhere scheme and version are left out. */
function normalise(place: string): string {
  const bare = place.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  return bare === 'index.docker.io' ? 'docker.io' : bare;
}

function withHost(image: string): string {
  const [first = ''] = image.split('/', 1);
  const hasHost = image.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  return hasHost ? image : `docker.io/${image.includes('/') ? image : `library/${image}`}`;
}

/** Hosts may hold `*` for one label; paths are prefixes. */
function isBeneath(place: string, repository: string): boolean {
  const [host = '', ...path] = place.split('/');
  const [imageHost = '', ...imagePath] = repository.split('/');
  const labels = host.split('.');
  const imageLabels = imageHost.split('.');
  const isHost =
    labels.length === imageLabels.length && labels.every((each, index) => each === '*' || each === imageLabels[index]);
  return isHost && imagePath.join('/').startsWith(path.join('/'));
}

function parse(base64: string | undefined): { readonly [name: string]: unknown } | undefined {
  if (base64 === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString());
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function memberOf(value: { readonly [name: string]: unknown }, name: string) {
  const member = value[name];
  return isRecord(member) ? member : undefined;
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
