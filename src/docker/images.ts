import { DabbaError } from '#base';
import type { Image, LayerProgress, Platform } from '#engine';
import type { Api } from './api.ts';
import { registryAuth } from './credentials.ts';
import { JsonLines, queryFilters, queryFlag, sendJson, sendStatus, type Exchange } from './exchange.ts';
import { familiarName, historyJson, imageJson, imageSummary, isUserOf } from './image-json.ts';
import { openImportSource } from './import-source.ts';
import { endLines } from './lines.ts';
import { matchesPattern } from './patterns.ts';
import { progressLine, pushWords, pullWords } from './progress.ts';

/** POST /images/create: pulls (`fromImage`) or imports a root file system (`fromSrc`). */
export async function createImage(api: Api, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const fromImage = query.get('fromImage');
  const fromSource = query.get('fromSrc');
  if (fromImage) await pull(api, exchange, withTag(fromImage, query.get('tag') ?? ''));
  else if (fromSource) await importRootfs(api, exchange, fromSource);
  else throw new DabbaError('InvalidArgument', 'fromImage or fromSrc is required');
}

async function pull({ engine }: Api, exchange: Exchange, reference: string): Promise<void> {
  const lines = new JsonLines(exchange);
  await endLines(lines, async () => {
    const before = await engine.images.find(reference);
    const image = await engine.images.pull(reference, {
      ...registryAuth(exchange.request),
      ...platformOf(exchange),
      signal: exchange.signal,
      onProgress: (progress) => void lines.send(progressLine(progress, pullWords)),
    });
    const digest = image.repoDigests.find((name) => name.startsWith(repositoryOf(reference)))?.split('@')[1];
    if (digest !== undefined) await lines.send({ status: `Digest: ${digest}` });
    const isNewer = before?.id !== image.id;
    await lines.send({
      status: `Status: ${isNewer ? 'Downloaded newer image' : 'Image is up to date'} for ${familiarName(reference)}`,
    });
  });
}

/** `platform`: `os`, `os/architecture` or `os/architecture/variant`. */
function platformOf({ query }: Exchange): { readonly platform?: Platform } {
  const text = query.get('platform');
  if (!text) return {};
  const [os = '', architecture, variant] = text.toLowerCase().split('/');
  if (os !== 'linux') throw new DabbaError('InvalidArgument', `operating system of platform "${text}" is not linux`);
  if (architecture === undefined) return {};
  return { platform: { os, architecture, ...(variant !== undefined && { variant }) } };
}

async function importRootfs({ engine }: Api, exchange: Exchange, source: string): Promise<void> {
  const { query, signal } = exchange;
  const changes = query.getAll('changes').filter(Boolean);
  const message = query.get('message');
  const repository = query.get('repo');
  const lines = new JsonLines(exchange);
  await endLines(lines, async () => {
    const reference = repository ? { reference: withTag(repository, query.get('tag') ?? '') } : {};
    const archive = await openImportSource(source, exchange, lines);
    const image = await engine.images.importRootfs(archive, {
      ...reference,
      ...(changes.length > 0 && { changes }),
      ...(message && { comment: message }),
      signal,
    });
    await lines.send({ status: image.id });
  });
}

/** POST /images/{name}/push. */
export async function pushImage({ engine }: Api, exchange: Exchange): Promise<void> {
  const name = exchange.params['name']!;
  const tag = exchange.query.get('tag') ?? '';
  const reference = withTag(name, tag);
  const lines = new JsonLines(exchange);
  const image = await engine.images.find(reference);
  if (!image) throw new DabbaError('NotFound', `An image does not exist locally with the tag: ${name}`);
  await endLines(lines, async () => {
    await lines.send({ status: `The push refers to repository [${repositoryOf(reference)}]` });
    const { digest, sizeBytes } = await engine.images.push(reference, {
      ...registryAuth(exchange.request),
      signal: exchange.signal,
      onProgress: (progress: LayerProgress) => void lines.send(progressLine(progress, pushWords)),
    });
    const pushed = tag || 'latest';
    await lines.send({ status: `${pushed}: digest: ${digest} size: ${sizeBytes}` });
    await lines.send({ progressDetail: {}, aux: { Tag: pushed, Digest: digest, Size: sizeBytes } });
  });
}

/** GET /images/json. Filters: `reference`, `dangling`, `label`, `before`, `since`. */
export async function listImages({ engine }: Api, exchange: Exchange): Promise<void> {
  const filters = queryFilters(exchange);
  const unknown = [...filters.keys()].find((name) => !imageFilters.includes(name));
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid filter '${unknown}'`);
  const [images, containers] = await Promise.all([engine.images.list(), engine.containers.list()]);
  const instantOf = async (name: string) => {
    const image = (await engine.images.find(name)) ?? absent(name);
    return image.createdAt;
  };
  const before = await Promise.all((filters.get('before') ?? []).map(instantOf));
  const since = await Promise.all((filters.get('since') ?? []).map(instantOf));
  const matching = images.filter(
    (image) =>
      isWanted(image, filters) &&
      before.every((instant) => image.createdAt < instant) &&
      since.every((instant) => image.createdAt > instant),
  );
  const newestFirst = [...matching].sort((a, b) => b.createdAt - a.createdAt);
  const users = (image: Image) => containers.filter((container) => isUserOf(container, image)).length;
  const shown = newestFirst.map((image) => withMatchingNames(image, filters.get('reference')));
  sendJson(
    exchange,
    200,
    shown.map((image) => imageSummary(image, users(image))),
  );
}

const imageFilters = ['reference', 'dangling', 'label', 'before', 'since'];

function isWanted(image: Image, filters: ReadonlyMap<string, readonly string[]>): boolean {
  const { references, repoDigests } = withMatchingNames(image, filters.get('reference'));
  if (filters.has('reference') && references.length + repoDigests.length === 0) return false;
  const dangling = filters.get('dangling')?.map((word) => ['1', 'true'].includes(word));
  if (dangling && !dangling.includes(image.references.length === 0)) return false;
  return (filters.get('label') ?? []).every((wanted) => {
    const [name, ...value] = wanted.split('=');
    const label = image.config.Labels?.[name!];
    return label !== undefined && (value.length === 0 || label === value.join('='));
  });
}

/** The image with only those of its names that one of the patterns meets: whole, or without tag or digest. */
function withMatchingNames(image: Image, patterns: readonly string[] | undefined): Image {
  if (!patterns) return image;
  const isMatch = (name: string) =>
    [name, familiarName(name)]
      .flatMap((form) => [form, repositoryOf(form)])
      .some((form) => patterns.some((pattern) => matchesPattern(pattern, form)));
  return { ...image, references: image.references.filter(isMatch), repoDigests: image.repoDigests.filter(isMatch) };
}

/** GET /images/{name}/json. */
export async function inspectImage(api: Api, exchange: Exchange): Promise<void> {
  sendJson(exchange, 200, imageJson(await findImage(api, exchange)));
}

/** GET /images/{name}/history. */
export async function imageHistory(api: Api, exchange: Exchange): Promise<void> {
  const image = await findImage(api, exchange);
  sendJson(exchange, 200, historyJson(image, await api.engine.images.layerSizes(image)));
}

/** POST /images/{name}/tag. */
export async function tagImage(api: Api, exchange: Exchange): Promise<void> {
  const image = await findImage(api, exchange);
  const { query } = exchange;
  const repository = query.get('repo');
  if (!repository) throw new DabbaError('InvalidArgument', 'repo is required');
  await api.engine.images.tag(image.id, withTag(repository, query.get('tag') ?? ''));
  sendStatus(exchange, 201);
}

/** DELETE /images/{name}. */
export async function removeImage({ engine }: Api, exchange: Exchange): Promise<void> {
  const removed = await engine.images.remove(exchange.params['name']!, { force: queryFlag(exchange, 'force') });
  sendJson(
    exchange,
    200,
    removed.map((entry) =>
      'untagged' in entry ? { Untagged: familiarName(entry.untagged) } : { Deleted: entry.deleted },
    ),
  );
}

async function findImage({ engine }: Api, { params }: Exchange): Promise<Image> {
  const name = params['name']!;
  return (await engine.images.find(name)) ?? absent(name);
}

function absent(name: string): never {
  throw new DabbaError('NotFound', `No such image: ${familiarName(name)}`);
}

/** The two ways clients name a version: in the name, or beside it. A digest comes as `sha256:…`. */
function withTag(name: string, tag: string): string {
  if (tag === '') return /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}

const repositoryOf = (reference: string) => reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');

/** GET /images/{name}/attestations. Statements about an image lie beside it in its index, of which the image alone is kept here. */
export async function listAttestations({ engine }: Api, exchange: Exchange): Promise<void> {
  const name = exchange.params['name']!;
  if (!(await engine.images.find(name))) throw new DabbaError('NotFound', `No such image: ${name}`);
  sendJson(exchange, 200, []);
}
