import { DabbaError } from '#base';
import type { FileChange, ImageConfig, PathStat } from '#engine';
import type { Api } from './api.ts';
import { queryFlag, readBody, sendJson, sendStatus, type Exchange } from './exchange.ts';
import type { Fields } from './fields.ts';
import { goFileMode } from './file-mode.ts';
import { sendStream } from './send-stream.ts';

/** HEAD /containers/{id}/archive: what is at a path. */
export async function statPath({ engine }: Api, exchange: Exchange): Promise<void> {
  const { response, params } = exchange;
  const stat = await engine.files.stat(params['id']!, pathOf(exchange));
  response.writeHead(200, { [statHeader]: encodeStat(stat) }).end();
}

/** GET /containers/{id}/archive: a file or tree as a tar (`docker cp` out of a container). */
export async function readArchive({ engine }: Api, exchange: Exchange): Promise<void> {
  const { params, signal } = exchange;
  const { stat, tar } = await engine.files.read(params['id']!, pathOf(exchange), signal);
  await sendStream(exchange, 'application/x-tar', tar, { [statHeader]: encodeStat(stat) });
}

/** PUT /containers/{id}/archive: unpacks a tar in a directory (`docker cp` into a container). */
export async function writeArchive({ engine }: Api, exchange: Exchange): Promise<void> {
  const { request, params, signal } = exchange;
  await engine.files.write(params['id']!, pathOf(exchange), request, {
    isKindKept: queryFlag(exchange, 'noOverwriteDirNonDir'),
    isOwnedByUser: queryFlag(exchange, 'copyUIDGID'),
    signal,
  });
  sendStatus(exchange, 200);
}

/** GET /containers/{id}/export. */
export async function exportContainer({ engine }: Api, exchange: Exchange): Promise<void> {
  const tar = await engine.files.export(exchange.params['id']!, exchange.signal);
  await sendStream(exchange, 'application/x-tar', tar);
}

/** GET /containers/{id}/changes. */
export async function containerChanges({ engine }: Api, exchange: Exchange): Promise<void> {
  const changes = await engine.files.changes(exchange.params['id']!);
  sendJson(
    exchange,
    200,
    changes.map(({ path, kind }) => ({ Path: path, Kind: kinds[kind] })),
  );
}

const kinds: { readonly [kind in FileChange['kind']]: number } = { modified: 0, added: 1, deleted: 2 };

/** POST /commit. The body may bring a config whose members replace the container's. */
export async function commitContainer({ engine }: Api, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const id = query.get('container');
  if (!id) throw new DabbaError('InvalidArgument', 'container is required');
  const body = await readBody(exchange);
  const repository = query.get('repo');
  const tag = query.get('tag');
  const image = await engine.files.commit(id, {
    ...(repository && { reference: tag ? `${repository}:${tag}` : repository }),
    ...(query.get('author') && { author: query.get('author')! }),
    ...(query.get('comment') && { comment: query.get('comment')! }),
    changes: query.getAll('changes').filter(Boolean),
    config: imageConfig(body),
    isPaused: (query.get('pause') ?? '') === '' || queryFlag(exchange, 'pause'),
    signal,
  });
  sendJson(exchange, 201, { Id: image.id });
}

/** The members of a config that are given, and say something. */
function imageConfig(body: Fields): Partial<ImageConfig> {
  const missing = ['Healthcheck', 'OnBuild', 'Shell'].find((name) => body.isGiven(name));
  if (missing !== undefined)
    throw new DabbaError('Unimplemented', `commit with ${missing} in its body is not supported: use a change`);
  const set = (name: string) => Object.fromEntries(body.set(name).map((key) => [key, {}]));
  return {
    ...(body.isGiven('Env') && { Env: body.texts('Env')! }),
    ...(body.isGiven('Cmd') && { Cmd: body.texts('Cmd')! }),
    ...(body.isGiven('Entrypoint') && { Entrypoint: body.texts('Entrypoint')! }),
    ...(body.isGiven('Labels') && { Labels: body.textMap('Labels')! }),
    ...(body.isGiven('User') && { User: body.text('User')! }),
    ...(body.isGiven('WorkingDir') && { WorkingDir: body.text('WorkingDir')! }),
    ...(body.isGiven('StopSignal') && { StopSignal: body.text('StopSignal')! }),
    ...(body.isGiven('ExposedPorts') && { ExposedPorts: set('ExposedPorts') }),
    ...(body.isGiven('Volumes') && { Volumes: set('Volumes') }),
  };
}

const statHeader = 'x-docker-container-path-stat';

function encodeStat({ name, sizeBytes, mode, modifiedAtNs, linkTarget }: PathStat): string {
  const mtime = new Date(Number(modifiedAtNs / 1_000_000n)).toISOString();
  const stat = { name, size: sizeBytes, mode: goFileMode(mode), mtime, linkTarget };
  return Buffer.from(JSON.stringify(stat)).toString('base64');
}

function pathOf({ query }: Exchange): string {
  const path = query.get('path');
  if (!path) throw new DabbaError('InvalidArgument', 'bad parameter: path cannot be empty');
  return path;
}
