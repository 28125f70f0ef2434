import { DabbaError } from '#base';
import type { RegistryCredentials } from '../engine.ts';
import { refusalOf } from './registry-errors.ts';
import { readBody, type RegistryHttp } from './registry-http.ts';

/** One challenge of a WWW-Authenticate header (RFC 9110, section 11.6.1). */
interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Answers the challenges of one registry for one scope: Basic, or Bearer by its token server (distribution, "Token Authentication
 * Specification"). What worked is used again until it is refused.
 */
export class RegistryAuthorization {
  readonly #http: RegistryHttp;
  readonly #credentials: RegistryCredentials | undefined;
  readonly #scopes: readonly string[];
  #header: string | undefined;

  constructor(http: RegistryHttp, credentials: RegistryCredentials | undefined, scopes: readonly string[]) {
    this.#http = http;
    this.#credentials = credentials;
    this.#scopes = scopes;
  }

  /** The Authorization header to send, as far as is known. */
  get header(): string | undefined {
    return this.#header;
  }

  /**
   * Learns from the WWW-Authenticate header of a 401. Returns false when there is nothing new to try. Throws `Unauthenticated` when
   * credentials are wanted and there are none, in Docker's words.
   */
  async answer(wwwAuthenticate: string | undefined, signal: AbortSignal): Promise<boolean> {
    const challenges = parseChallenges(wwwAuthenticate ?? '');
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) return this.#try(`Bearer ${await this.#token(bearer, signal)}`);
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return false;
    if (!this.#credentials) throw new DabbaError('Unauthenticated', 'no basic auth credentials');
    return this.#try(basic(this.#credentials));
  }

  #try(header: string): boolean {
    const isNew = header !== this.#header;
    this.#header = header;
    return isNew;
  }

  async #token({ parameters }: Challenge, signal: AbortSignal): Promise<string> {
    const realm = parameters.get('realm');
    if (realm === undefined || !URL.canParse(realm))
      throw new DabbaError('Unauthenticated', `registry names no usable token server: "${realm ?? ''}"`);
    const url = new URL(realm);
    const service = parameters.get('service');
    if (service !== undefined) url.searchParams.set('service', service);
    const asked = parameters.get('scope')?.split(' ') ?? [];
    for (const scope of new Set([...this.#scopes, ...asked])) url.searchParams.append('scope', scope);
    if (this.#credentials) url.searchParams.set('account', this.#credentials.username);
    const headers = this.#credentials ? { authorization: basic(this.#credentials) } : {};
    const response = await this.#http.send({ method: 'GET', url, headers, signal });
    const body = (await readBody(response, 1024 ** 2)).toString();
    if (response.statusCode !== 200) throw refusalOf(response.statusCode ?? 0, response.statusMessage ?? '', body);
    const token = tokenIn(body);
    if (token === undefined) throw new DabbaError('Unauthenticated', `token server ${url.origin} gave no token`);
    return token;
  }
}

function basic({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function tokenIn(body: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined; // a token server that does not answer JSON gave none
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { token, access_token: accessToken } = parsed as { readonly token?: unknown; readonly access_token?: unknown };
  const given = token ?? accessToken;
  return typeof given === 'string' && given !== '' ? given : undefined;
}

/** `Bearer realm="…",service="…"` and the like, several joined by commas. Schemes and names come out in lower case. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /[\s,]*([!#$%&'*+.^`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+)))?/y;
  for (let match = token.exec(header); match; match = token.exec(header)) {
    const [, name = '', quoted, bare] = match;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? bare;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return challenges;
}
