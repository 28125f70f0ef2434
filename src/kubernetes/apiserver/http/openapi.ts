/** Serves the published description of what a cluster serves: `/openapi/v3`, a document for each group version below it, and `/openapi/v2`. */
import { apiVersionOf, parseApiVersion } from '../../object.ts';
import { isObject } from '../../schema/json.ts';
import { loadDescriptions } from '../../schema/load.ts';
import { openApiHash, openApiPath, openApiV2, openApiV3, openApiV3Index } from '../../schema/openapi/document.ts';
import type { OpenApiResource } from '../../schema/openapi/resource.ts';
import { StatusError } from '../../status.ts';
import type { Catalog, Served } from '../catalog.ts';
import type { ApiParts } from '../parts.ts';
import { responseKind, verbsOf } from './discovery.ts';
import { type Exchange, parameter } from './exchange.ts';
import { readAccept } from './negotiate.ts';
import { notFoundPath } from './refusals.ts';
import { sendBytes, sendObject } from './respond.ts';
import { gitVersion } from './version.ts';

/** Throws `NotFound` for documents there are none of, `NotAcceptable` for those who take protobuf alone. */
export async function serveOpenApi(parts: ApiParts, exchange: Exchange): Promise<void> {
  const [, version, ...rest] = exchange.url.pathname.split('/').filter(Boolean);
  refuseProtobuf(exchange);
  const published = publishedBy(parts);
  if (version === 'v3' && rest.length === 0) return sendObject(exchange, openApiV3Index(published.hashes));
  const path = rest.join('/');
  const isKnown = version === 'v3' ? published.hashes.has(path) : version === 'v2' && rest.length === 0;
  if (!isKnown) throw notFoundPath();
  if (version === 'v3' && isStale(exchange, published.hashes.get(path)!)) return;
  const bytes = await published.document(`${version}/${path}`, () =>
    describe(parts, version === 'v3' ? path : undefined),
  );
  sendBytes(exchange, bytes);
}

/** Clients that take protobuf and nothing else do without: kubectl goes by v3, which it reads as JSON. */
function refuseProtobuf({ request }: Exchange): void {
  const ranges = readAccept(request.headers.accept);
  if (ranges.some(({ type }) => ['application/json', '*/*', 'application/*'].includes(type))) return;
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

/** The documents of one state of a catalog. They are made when first asked for: most clusters are never asked for most of them. */
class Published {
  readonly generation: number;
  /** By `openApiPath`. */
  readonly hashes: ReadonlyMap<string, string>;
  readonly #documents = new Map<string, Promise<Buffer>>();

  constructor(catalog: Catalog) {
    this.generation = catalog.generation;
    const groupVersions = catalog.groupVersions().map(parseApiVersion);
    this.hashes = new Map(
      groupVersions.map((groupVersion) => [
        openApiPath(groupVersion),
        openApiHash(resourcesOf(catalog, apiVersionOf(groupVersion)), { serverVersion: gitVersion }),
      ]),
    );
  }

  /** A failure is not kept. */
  document(key: string, make: () => Promise<object>): Promise<Buffer> {
    const known = this.#documents.get(key);
    if (known) return known;
    const made = make().then((document) => Buffer.from(JSON.stringify(document)));
    this.#documents.set(key, made);
    made.catch(() => this.#documents.delete(key));
    return made;
  }
}

const published = new WeakMap<Catalog, Published>();

function publishedBy({ catalog }: ApiParts): Published {
  const known = published.get(catalog);
  if (known?.generation === catalog.generation) return known;
  const now = new Published(catalog);
  published.set(catalog, now);
  return now;
}

/** One group version for v3, everything for v2. */
async function describe({ catalog, schemas, logger }: ApiParts, path: string | undefined): Promise<object> {
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
