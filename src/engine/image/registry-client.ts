import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { DabbaError, type Digest, digestOf, isDigest } from '#base';
import type { RegistryCredentials } from '../engine.ts';
import type { RegistryEndpoint } from '../ports.ts';
import { acceptedManifests, manifestLimitBytes } from './manifest.ts';
import { RegistryAuthorization } from './registry-auth.ts';
import { RegistryRefusal, RegistryUnreachable, refusalOf } from './registry-errors.ts';
import { type HttpRequest, readBody, type RegistryHttp } from './registry-http.ts';

export interface RepositoryOptions {
  readonly http: RegistryHttp;
  readonly endpoint: RegistryEndpoint;
  /** Empty when only the registry itself is asked. */
  readonly repository: string;
  readonly credentials: RegistryCredentials | undefined;
  readonly access: 'pull' | 'pull,push';
  /** Repositories of the same registry that blobs may be mounted from. */
  readonly sources?: readonly string[];
}

export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly contentType: string | undefined;
}

interface Ask {
  readonly method: HttpRequest['method'];
  /** Absolute, or a path below `/v2/<repository>/`. */
  readonly target: string | URL;
  readonly headers?: { readonly [name: string]: string };
  /** Made anew for each attempt. */
  readonly body?: () => Buffer | Readable | Promise<Readable>;
  readonly signal: AbortSignal;
}

const mostRedirects = 5;

/**
 * One repository at one endpoint of a registry (OCI distribution specification 1.1). Throws `RegistryRefusal` for what the registry
 * refuses and `RegistryUnreachable` when it cannot be asked.
 */
export class RepositoryClient {
  readonly #options: RepositoryOptions;
  readonly #base: URL;
  readonly #authorization: RegistryAuthorization;

  constructor(options: RepositoryOptions) {
    this.#options = options;
    const { http, endpoint, repository, credentials, access, sources = [] } = options;
    this.#base = new URL(`${endpoint.url}/v2/${repository === '' ? '' : `${repository}/`}`);
    const scopes = [`repository:${repository}:${access}`, ...sources.map((source) => `repository:${source}:pull`)];
    this.#authorization = new RegistryAuthorization(http, credentials, repository === '' ? [] : scopes);
  }

  /** By tag or digest; what comes for a digest has that digest. */
  async manifest(name: string, signal: AbortSignal): Promise<FetchedManifest> {
    const headers = { accept: acceptedManifests };
    const response = await this.#expect([200], { method: 'GET', target: `manifests/${name}`, headers, signal });
    const bytes = await readBody(response, manifestLimitBytes);
    const digest = digestOf(bytes, isDigest(name) && name.startsWith('sha512:') ? 'sha512' : 'sha256');
    if (isDigest(name) && digest !== name)
      throw new DabbaError('DataLoss', `registry answered manifest ${name} with bytes of digest ${digest}`);
    return { bytes, digest, contentType: response.headers['content-type'] };
  }

  /** Size of a blob, or undefined if the repository lacks it. */
  async statBlob(digest: Digest, signal: AbortSignal): Promise<number | undefined> {
    const target = `blobs/${digest}`;
    const response = await this.#ask({ method: 'HEAD', target, signal });
    response.resume();
    if (response.statusCode === 404) return undefined;
    if (response.statusCode === 200) return Number(response.headers['content-length'] ?? 0);
    // The answer to HEAD has no words; that to GET says why.
    const body = await this.#expect([200], { method: 'GET', target, signal });
    body.destroy();
    return Number(body.headers['content-length'] ?? 0);
  }

  /** The bytes of a blob from `start` on, not verified. */
  async blob(digest: Digest, start: number, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    const headers: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {};
    const response = await this.#expect([200, 206], { method: 'GET', target: `blobs/${digest}`, headers, signal });
    return contentOf(response, response.statusCode === 206 ? 0 : start);
  }

  /** Makes a blob of another repository of the registry one of this too. False if the registry would rather have it uploaded. */
  async mountBlob(digest: Digest, from: string, signal: AbortSignal): Promise<boolean> {
    const target = new URL('blobs/uploads/', this.#base);
    target.search = new URLSearchParams({ mount: digest, from }).toString();
    const response = await this.#expect([201, 202], { method: 'POST', target, signal });
    response.resume();
    if (response.statusCode === 201) return true;
    const upload = this.#uploadAt(response, this.#base);
    (await this.#ask({ method: 'DELETE', target: upload, signal })).resume();
    return false;
  }

  /** Uploads a blob in one piece; `open` gives its bytes, again after a challenge. */
  async uploadBlob(
    blob: { readonly digest: Digest; readonly sizeBytes: number; readonly open: () => Promise<Readable> },
    signal: AbortSignal,
  ): Promise<void> {
    const begun = await this.#expect([202], { method: 'POST', target: 'blobs/uploads/', signal });
    begun.resume();
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.sizeBytes) };
    const target = this.#uploadAt(begun, this.#base);
    const sent = await this.#expect([202, 204], { method: 'PATCH', target, headers, body: blob.open, signal });
    sent.resume();
    const last = this.#uploadAt(sent, target);
    last.searchParams.set('digest', blob.digest);
    const ended = await this.#expect([201, 204], {
      method: 'PUT',
      target: last,
      headers: { 'content-length': '0' },
      signal,
    });
    ended.resume();
  }

  /** Stores a manifest under a tag or its digest. */
  async putManifest(name: string, bytes: Buffer, type: string, signal: AbortSignal): Promise<void> {
    const headers = { 'content-type': type, 'content-length': String(bytes.length) };
    const target = `manifests/${name}`;
    const response = await this.#expect([200, 201, 202], { method: 'PUT', target, headers, body: () => bytes, signal });
    response.resume();
  }

  /** Succeeds if the registry lets us in. */
  async ping(signal: AbortSignal): Promise<void> {
    (await this.#expect([200], { method: 'GET', target: new URL('/v2/', this.#base), signal })).resume();
  }

  /** The place of an upload. Where the registry names itself, our endpoint stands for that name. */
  #uploadAt(response: IncomingMessage, base: URL): URL {
    const url = locationOf(response, base);
    if (!url) throw new RegistryRefusal(response.statusCode ?? 0, '', `${base.origin} names no place to upload to`);
    const { hostHeader } = this.#options.endpoint;
    return url.host === hostHeader ? new URL(url.pathname + url.search, this.#base) : url;
  }

  async #expect(statuses: readonly number[], ask: Ask): Promise<IncomingMessage> {
    const response = await this.#ask(ask);
    if (statuses.includes(response.statusCode ?? 0)) return response;
    const body = await readBody(response, 1024 ** 2);
    throw refusalOf(response.statusCode ?? 0, response.statusMessage ?? '', body.toString());
  }

  /** Asks, answering a challenge once. */
  async #ask(ask: Ask): Promise<IncomingMessage> {
    const refused = this.#authorization.header;
    const response = await this.#follow(ask);
    if (response.statusCode !== 401) return response;
    // Another request may have learned better meanwhile.
    const isLearned = this.#authorization.header !== refused;
    if (!isLearned && !(await this.#authorization.answer(response.headers['www-authenticate'], ask.signal)))
      return response;
    response.resume();
    return this.#follow(ask);
  }

  /** Follows redirects of reads. Neither credentials nor our Host header go to another origin. */
  async #follow(ask: Ask): Promise<IncomingMessage> {
    let url = typeof ask.target === 'string' ? new URL(ask.target, this.#base) : ask.target;
    for (let count = 0; ; count++) {
      const response = await this.#send(url, ask);
      const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0);
      if (!isRedirect || (ask.method !== 'GET' && ask.method !== 'HEAD')) return response;
      response.resume();
      const next = locationOf(response, url);
      if (!next || count === mostRedirects)
        throw new RegistryRefusal(response.statusCode ?? 0, '', `${url.origin} redirects without end`);
      url = next;
    }
  }

  async #send(url: URL, { method, headers, body, signal }: Ask): Promise<IncomingMessage> {
    const { http, endpoint } = this.#options;
    const isOwn = url.origin === this.#base.origin;
    const own: Record<string, string> = {};
    if (isOwn && endpoint.hostHeader !== undefined) own['host'] = endpoint.hostHeader;
    if (isOwn && this.#authorization.header !== undefined) own['authorization'] = this.#authorization.header;
    const bytes = await body?.();
    return http.send({
      method,
      url,
      headers: { ...headers, ...own },
      signal,
      ...(bytes !== undefined && { body: bytes }),
    });
  }
}

/** What comes after the first `skip` bytes; a broken connection throws `RegistryUnreachable`. */
async function* contentOf(response: IncomingMessage, skip: number): AsyncGenerator<Buffer, void> {
  let left = skip;
  try {
    for await (const chunk of response) {
      const bytes = chunk as Buffer; // no encoding is set
      if (bytes.length > left) yield bytes.subarray(left);
      left = Math.max(0, left - bytes.length);
    }
  } catch (error) {
    throw new RegistryUnreachable('the blob broke off', { cause: error });
  }
}

/** Where the answer points to. */
function locationOf(response: IncomingMessage, base: URL): URL | undefined {
  const { location } = response.headers;
  return location !== undefined && URL.canParse(location, base.href) ? new URL(location, base) : undefined;
}
