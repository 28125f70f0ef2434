/** Serves the published description of what a cluster serves: `/openapi/v3`, a document for each group version below it, and `/openapi/v2`. */
import { createHash } from 'node:crypto';
import { parseApiVersion } from '../../object.ts';
import type { JsonObject } from '../../schema/json.ts';
import { isObject } from '../../schema/json.ts';
import { loadDescriptions } from '../../schema/load.ts';
import { openApiHash, openApiPath, openApiV2, openApiV3, openApiV3Index } from '../../schema/openapi/document.ts';
import { mergeOpenApiV2 } from '../../schema/openapi/merge-v2.ts';
import { encodeOpenApiV2 } from '../../schema/openapi/protobuf-v2.ts';
import type { OpenApiResource } from '../../schema/openapi/resource.ts';
import { StatusError } from '../../status.ts';
import { type RemoteDocument, RemoteDocuments } from '../aggregation/documents.ts';
import type { RemoteApis } from '../aggregation/remote-apis.ts';
import type { Catalog, Served } from '../catalog.ts';
import type { ApiParts } from '../parts.ts';
import { responseKind, verbsOf } from './discovery/kinds.ts';
import { type Exchange, parameter } from './exchange.ts';
import { readAccept } from './negotiate.ts';
import { discoveredBy, passOn, remoteFor } from './pass-on.ts';
import { notFoundPath } from './refusals.ts';
import { sendBytes, sendObject } from './respond.ts';
import { gitVersion } from './version.ts';

/** Throws `NotFound` for documents there are none of, `NotAcceptable` for forms there are none of: v3 is JSON alone. */
export async function serveOpenApi(parts: ApiParts, exchange: Exchange): Promise<void> {
  const [, version, ...rest] = exchange.url.pathname.split('/').filter(Boolean);
  const published = publishedBy(parts);
  if (version === 'v3' && rest.length === 0)
    return sendObject(exchange, openApiV3Index(new Map([...published.hashes, ...remoteHashes(parts)])));
  const path = rest.join('/');
  const described = version === 'v3' ? discoveredBy(`/${path}`) : undefined;
  const remote = described && remoteFor(parts, described);
  if (remote) return passOn(parts, exchange, remote);
  const isKnown = version === 'v3' ? published.hashes.has(path) : version === 'v2' && rest.length === 0;
  if (!isKnown) throw notFoundPath();
  if (version === 'v3' && isStale(exchange, published.hashes.get(path)!)) return;
  const form = formOf(exchange, version === 'v3' ? ['json'] : ['json', 'protobuf']);
  const others = version === 'v2' ? await foreignOf(parts) : [];
  const hash = version === 'v3' ? published.hashes.get(path)! : published.hash;
  const bytes = await documents.get([form, hash, ...others.map((each) => each.hash)].join('/'), async () => {
    const own = await describe(parts, version === 'v3' ? path : undefined);
    const document = others.length ? mergeOpenApiV2(own, others) : own;
    return form === 'json' ? jsonBytes(document) : Buffer.from(encodeOpenApiV2(document));
  });
  sendBytes(exchange, bytes, { contentType: form === 'json' ? 'application/json' : protobufType });
}

/** What other servers say in v2, for the one document of everything. */
async function foreignOf(parts: ApiParts): Promise<readonly RemoteDocument[]> {
  const { remoteApis } = parts;
  const servers = remoteApis.groupVersions().flatMap((groupVersion) => {
    const remote = remoteFor(parts, groupVersion);
    return remote?.isAvailable ? [{ groupVersion, remote }] : [];
  });
  const known = foreign.get(remoteApis) ?? new RemoteDocuments();
  foreign.set(remoteApis, known);
  return known.of(parts, servers);
}

/** Documents that other servers have: what is heard of them changes with their resources. */
function remoteHashes(parts: ApiParts): readonly (readonly [path: string, hash: string])[] {
  return parts.remoteApis.groupVersions().flatMap((groupVersion) => {
    const remote = remoteFor(parts, groupVersion);
    if (!remote?.isAvailable) return [];
    const hash = createHash('sha256')
      .update(JSON.stringify([remote.spec, remote.resources]))
      .digest('hex');
    return [[openApiPath(groupVersion), hash.toUpperCase()] as const];
  });
}

function jsonBytes(document: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(document));
}

/** v2 as Go clients want it. They ask with an `@`, which no media type may hold, and are answered without. */
const protobufType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

type Form = 'json' | 'protobuf';

/** The first form that the client takes and there is. */
function formOf({ request }: Exchange, forms: readonly Form[]): Form {
  const wanted = readAccept(request.headers.accept).map(({ type }): Form | undefined => {
    if (['application/json', '*/*', 'application/*'].includes(type)) return 'json';
    return type.replace('@', '.') === protobufType ? 'protobuf' : undefined;
  });
  const found = wanted.find((form) => form !== undefined && forms.includes(form));
  if (found) return found;
  throw new StatusError('NotAcceptable', 'only the following media types are accepted: application/json');
}

/** A document with its hash in the address may be kept for ever; one with an older hash has moved. */
function isStale(exchange: Exchange, hash: string): boolean {
  const { response, url } = exchange;
  const asked = parameter(exchange, 'hash');
  response.setHeader('etag', `"${hash}"`);
  response.setHeader('vary', 'Accept');
  if (asked === hash) response.setHeader('cache-control', 'public, immutable, max-age=31536000');
  if (asked === undefined || asked === hash) return false;
  response.setHeader('location', `${url.pathname}?hash=${hash}`);
  sendBytes(exchange, Buffer.alloc(0), { code: 301 });
  return true;
}

/** What one state of a catalog has documents of. */
class Published {
  readonly generation: number;
  /** By `openApiPath`. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Of everything. */
  readonly hash: string;

  constructor(catalog: Catalog) {
    this.generation = catalog.generation;
    const groupVersions = catalog.groupVersions();
    const server = { serverVersion: gitVersion };
    this.hashes = new Map(
      groupVersions.map((one) => [openApiPath(parseApiVersion(one)), openApiHash(resourcesOf(catalog, one), server)]),
    );
    this.hash = openApiHash(
      groupVersions.flatMap((one) => resourcesOf(catalog, one)),
      server,
    );
  }
}

/** Documents by what they are made of, which clusters share. They are made when first asked for: most are never asked for. */
class Documents {
  readonly #made = new Map<string, Promise<Buffer>>();

  /** The last ones that were asked for are kept; a failure is not. */
  get(key: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const document = this.#made.get(key) ?? make();
    this.#made.delete(key);
    this.#made.set(key, document);
    document.catch(() => this.#made.delete(key));
    for (const oldest of this.#made.keys()) {
      if (this.#made.size <= mostDocuments) break;
      this.#made.delete(oldest);
    }
    return document;
  }
}

const mostDocuments = 40;
const documents = new Documents();
const published = new WeakMap<Catalog, Published>();
const foreign = new WeakMap<RemoteApis, RemoteDocuments>();

function publishedBy({ catalog }: ApiParts): Published {
  const known = published.get(catalog);
  if (known?.generation === catalog.generation) return known;
  const now = new Published(catalog);
  published.set(catalog, now);
  return now;
}

/** One group version for v3, everything for v2. */
async function describe({ catalog, schemas, logger }: ApiParts, path: string | undefined): Promise<JsonObject> {
  const descriptions = await loadDescriptions({ logger });
  const options = { schemas, descriptions, serverVersion: gitVersion };
  const groupVersions = catalog.groupVersions();
  if (path === undefined)
    return openApiV2(
      groupVersions.flatMap((one) => resourcesOf(catalog, one)),
      options,
    );
  const groupVersion = groupVersions.find((one) => openApiPath(parseApiVersion(one)) === path)!;
  return openApiV3(resourcesOf(catalog, groupVersion), options);
}

function resourcesOf(catalog: Catalog, apiVersion: string): readonly OpenApiResource[] {
  return catalog
    .resources(parseApiVersion(apiVersion))
    .map(openApiResource)
    .toSorted((a, b) => (a.resource < b.resource ? -1 : 1));
}

function openApiResource({ resource, version }: Served): OpenApiResource {
  const { group, version: name, kind, openApiSchema } = version;
  return {
    group,
    version: name,
    kind,
    resource: resource.type.resource,
    isNamespaced: resource.type.isNamespaced,
    verbs: resource.verbs,
    subresources: [...resource.subresources].map(([name, part]) => ({
      name,
      verbs: verbsOf(part),
      kind: part.kind === 'connect' ? undefined : groupVersionKind(responseKind(resource, version, part, name)),
    })),
    ...(isObject(openApiSchema) && { customSchema: openApiSchema }),
  };
}

function groupVersionKind({ group, version, kind }: Served['version']) {
  return { group, version, kind };
}
