import { DabbaError, isDabbaError } from '#base';
import type { Container } from '#engine';
import type { Api } from './api.ts';
import { relay, takeConnection, type ClientStreams } from './attach.ts';
import { readCreate } from './container-create.ts';
import { checkProcessors } from './container-resources.ts';
import { containerFilter, hasLabel } from './container-filter.ts';
import { instantOf } from './instant.ts';
import { containerJson, containerSummary } from './container-json.ts';
import { readDetachKeys } from './detach.ts';
import { frame } from './frames.ts';
import { remapped } from './userns-remap.ts';
import { write } from './writable.ts';
import { queryFilters, queryFlag, queryNumber, readBody, sendJson, sendStatus, type Exchange } from './exchange.ts';

/** The container a path names. Throws `NotFound`. */
export async function findContainer({ engine }: Api, { params }: Exchange): Promise<Container> {
  const name = params['id']!;
  const container = await engine.containers.find(name);
  if (!container) throw new DabbaError('NotFound', `No such container: ${name}`);
  return container;
}

/** POST /containers/create. */
export async function createContainer({ engine, info, idMapping }: Api, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const platform = query.get('platform');
  if (platform && platform !== `linux/${info.architecture}`)
    throw new DabbaError('Unimplemented', `platform "${platform}" cannot run on this machine`);
  const name = query.get('name') || undefined;
  const request = remapped(readCreate(await readBody(exchange), name?.replace(/^\//, '')), idMapping);
  checkProcessors(request.resources ?? {}, info.cpus);
  const container = await engine.containers.create(request);
  sendJson(exchange, 201, { Id: container.id, Warnings: container.warnings });
}

/** GET /containers/json. */
export async function listContainers(api: Api, exchange: Exchange): Promise<void> {
  const filters = queryFilters(exchange);
  const limit = queryNumber(exchange, 'limit') ?? 0;
  const isWanted = await containerFilter(api, filters);
  const isAll = queryFlag(exchange, 'all') || limit > 0 || filters.has('status') || filters.has('exited');
  const containers = (await api.engine.containers.list())
    .filter(
      (container) =>
        isWanted(container) && (isAll || ['running', 'paused', 'restarting'].includes(container.state.status)),
    )
    .sort((a, b) => b.createdAt - a.createdAt);
  const shown = limit > 0 ? containers.slice(0, limit) : containers;
  const isSized = queryFlag(exchange, 'size');
  const summaries = shown.map(async (container) => ({
    ...containerSummary(container, api.clock.now()),
    ...(isSized && (await sizesOf(api, container))),
  }));
  sendJson(exchange, 200, await Promise.all(summaries));
}

/** GET /containers/{id}/json. */
export async function inspectContainer(api: Api, exchange: Exchange): Promise<void> {
  const container = await findContainer(api, exchange);
  const image = await api.engine.images.find(container.imageId);
  const sizes = queryFlag(exchange, 'size') ? await sizesOf(api, container) : {};
  sendJson(exchange, 200, { ...containerJson(container, image), ...sizes });
}

/** Bytes of what it wrote, and of all it sees. */
async function sizesOf({ engine }: Api, { id, imageId }: Container): Promise<object> {
  const [SizeRw, image] = await Promise.all([engine.containers.sizeOf(id), engine.images.find(imageId)]);
  return { SizeRw, SizeRootFs: SizeRw + (image?.sizeBytes ?? 0) };
}

/** POST /containers/{id}/start. 304 if it runs. */
export async function startContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id, state } = await findContainer(api, exchange);
  if (state.status === 'running') return sendStatus(exchange, 304);
  await api.engine.containers.start(id);
  sendStatus(exchange, 204);
}

/** POST /containers/{id}/stop. 304 if it does not run. */
export async function stopContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id, state } = await findContainer(api, exchange);
  if (!['running', 'paused', 'restarting'].includes(state.status)) return sendStatus(exchange, 304);
  await api.engine.containers.stop(id, stopOptions(exchange));
  sendStatus(exchange, 204);
}

/** POST /containers/{id}/restart. */
export async function restartContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  await api.engine.containers.stop(id, stopOptions(exchange));
  await api.engine.containers.start(id);
  sendStatus(exchange, 204);
}

function stopOptions(exchange: Exchange): { readonly timeoutMs?: number; readonly signal?: string } {
  const seconds = queryNumber(exchange, 't');
  const signal = exchange.query.get('signal');
  return {
    // A negative time means to wait for ever; a day is as good.
    ...(seconds === undefined ? {} : { timeoutMs: seconds < 0 ? 86_400_000 : seconds * 1000 }),
    ...(signal ? { signal } : {}),
  };
}

/** dockerd's patience with a process that was killed and is not gone. */
const killPatienceMs = 10_000;

/** POST /containers/{id}/kill. After SIGKILL it answers when the container has ended, as dockerd does. */
export async function killContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  const { containers } = api.engine;
  const signal = exchange.query.get('signal') || 'SIGKILL';
  const giveUp = new AbortController();
  const isFinal = ['KILL', 'SIGKILL', '9'].includes(signal.toUpperCase());
  const patience = AbortSignal.any([giveUp.signal, exchange.signal, AbortSignal.timeout(killPatienceMs)]);
  const ended = isFinal ? containers.wait(id, 'next-exit', patience).catch(onlyIfAborted(patience)) : undefined;
  ended?.catch(() => undefined); // awaited once the signal is sent
  try {
    await containers.kill(id, signal);
  } catch (error) {
    giveUp.abort();
    throw error;
  }
  await ended;
  sendStatus(exchange, 204);
}

/** Passes over a wait that was given up. */
const onlyIfAborted = (signal: AbortSignal) => (error: unknown) => {
  if (!signal.aborted) throw error;
};

/** POST /containers/{id}/rename. */
export async function renameContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  const name = exchange.query.get('name')?.replace(/^\//, '');
  if (!name) throw new DabbaError('InvalidArgument', 'Neither old nor new names may be empty');
  await api.engine.containers.rename(id, name);
  sendStatus(exchange, 204);
}

/** DELETE /containers/{id}. */
export async function removeContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  if (queryFlag(exchange, 'link')) throw new DabbaError('Unimplemented', 'removing links is not supported');
  await api.engine.containers.remove(id, {
    force: queryFlag(exchange, 'force'),
    removeVolumes: queryFlag(exchange, 'v'),
  });
  sendStatus(exchange, 204);
}

/** POST /containers/prune. */
export async function pruneContainers({ engine, clock }: Api, exchange: Exchange): Promise<void> {
  const isWanted = pruneFilter(queryFilters(exchange), clock.now());
  const ended = (await engine.containers.list()).filter(
    (container) => ['created', 'exited', 'dead'].includes(container.state.status) && isWanted(container),
  );
  const removed: string[] = [];
  let SpaceReclaimed = 0;
  for (const { id } of ended) {
    try {
      const sizeBytes = await engine.containers.sizeOf(id);
      await engine.containers.remove(id);
      removed.push(id);
      SpaceReclaimed += sizeBytes;
    } catch (error) {
      // Somebody started or removed it meanwhile.
      if (!isDabbaError(error, 'Conflict') && !isDabbaError(error, 'NotFound')) throw error;
    }
  }
  sendJson(exchange, 200, { ContainersDeleted: removed.length === 0 ? null : removed, SpaceReclaimed });
}

function pruneFilter(filters: ReadonlyMap<string, readonly string[]>, now: number): (container: Container) => boolean {
  const unknown = [...filters.keys()].find((name) => !['until', 'label', 'label!'].includes(name));
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid filter '${unknown}'`);
  const instants = (filters.get('until') ?? []).map((until) => instantOf(until, now));
  return (container) =>
    instants.every((instant) => container.createdAt < instant) &&
    (filters.get('label') ?? []).every((label) => hasLabel(container, label)) &&
    !(filters.get('label!') ?? []).some((label) => hasLabel(container, label));
}

/** POST /containers/{id}/resize. */
export async function resizeContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  await api.engine.containers.resize(id, terminalSize(exchange));
  sendStatus(exchange, 200);
}

/** `h` and `w` of a query. */
export function terminalSize(exchange: Exchange): { readonly rows: number; readonly columns: number } {
  return { rows: queryNumber(exchange, 'h') ?? 0, columns: queryNumber(exchange, 'w') ?? 0 };
}

/** GET /containers/{id}/top. */
export async function topContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  const psArguments = (exchange.query.get('ps_args') || '-ef').split(/\s+/).filter(Boolean);
  const { titles, processes } = await api.engine.containers.top(id, psArguments);
  sendJson(exchange, 200, { Titles: titles, Processes: processes });
}

const conditions = ['not-running', 'next-exit', 'removed'] as const;

/**
 * POST /containers/{id}/wait. The headers go out at once: `docker run` waits for them before it starts the container. A failure after
 * that is told in the body.
 */
export async function waitContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  const text = exchange.query.get('condition') || 'not-running';
  const condition = conditions.find((known) => known === text);
  if (condition === undefined) throw new DabbaError('InvalidArgument', `invalid condition: "${text}"`);
  const waiting = api.engine.containers.wait(id, condition, exchange.signal);
  const { response } = exchange;
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  try {
    const { exitCode } = await waiting;
    response.end(JSON.stringify({ StatusCode: exitCode }));
  } catch (error) {
    if (!isDabbaError(error)) throw error;
    response.end(JSON.stringify({ StatusCode: -1, Error: { Message: error.message } }));
  }
}

/** POST /containers/{id}/attach. */
export async function attachContainer(api: Api, exchange: Exchange): Promise<void> {
  const container = await findContainer(api, exchange);
  const isTty = container.create.isTty ?? false;
  const detachKeys = readDetachKeys(exchange.query.get('detachKeys'));
  if (container.state.status === 'paused')
    throw new DabbaError('Conflict', `Container ${container.id} is paused, unpause the container before attach`);
  const isStream = queryFlag(exchange, 'stream');
  const stdin = isStream && queryFlag(exchange, 'stdin') && (container.create.isStdinOpen ?? false);
  await using attachment = await api.engine.containers.attach(container.id, {
    stdin,
    stdout: isStream && queryFlag(exchange, 'stdout'),
    stderr: isStream && queryFlag(exchange, 'stderr'),
  });
  const client = takeConnection(exchange, isTty);
  if (queryFlag(exchange, 'logs')) await sendPast(api, exchange, { container, output: client.output });
  if (!isStream) return void client.output.end();
  await relay(attachment, client, { isTty, hasInput: stdin, detachKeys, signal: exchange.signal });
}

/** What a container has put out before, for a client that attaches with `logs=1`. */
async function sendPast(
  { engine }: Api,
  exchange: Exchange,
  { container, output }: { readonly container: Container; readonly output: ClientStreams['output'] },
): Promise<void> {
  const [stdout, stderr] = [queryFlag(exchange, 'stdout'), queryFlag(exchange, 'stderr')];
  const { signal } = exchange;
  for await (const { stream, data, isPartial } of engine.containers.logs(container.id, {
    stdout,
    stderr,
    follow: false,
    signal,
  })) {
    const line = isPartial ? data : Buffer.concat([data, Buffer.from('\n')]);
    await write(output, container.create.isTty ? line : frame(stream, line));
  }
}
