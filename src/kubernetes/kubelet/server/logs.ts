import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Container, LogEntry, LogOptions } from '#engine';
import { StatusError } from '../../status.ts';
import type { Kubelet } from '../kubelet.ts';
import { isOver, isRunning } from '../status/container-status.ts';
import { findNamed, type FoundContainer } from './containers.ts';
import type { Exchange, Route } from './route.ts';

/** `GET /containerLogs/<namespace>/<pod>/<container>`: what a container wrote, by PodLogOptions. */
export function logRoutes(kubelet: Kubelet): readonly Route[] {
  const path = /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/;
  return [{ kind: 'answer', path, handle: (exchange) => sendLogs(kubelet, exchange) }];
}

async function sendLogs(kubelet: Kubelet, { parts, query, response, signal }: Exchange): Promise<void> {
  const [namespace = '', pod = '', container = ''] = parts;
  const found = await findNamed(kubelet, { namespace, pod, container });
  const { engine, clock } = found.run.context;
  const chosen = chooseRun(found, query.get('previous') === 'true');
  const follow = query.get('follow') === 'true';
  const options: LogOptions = {
    ...streamsOf(query.get('stream') ?? 'All'),
    // The log of a run that is over is complete.
    follow: follow && isRunning(chosen),
    ...tailOf(query),
    ...sinceOf(query, clock.now()),
    signal,
  };
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  const limit = numberOf(query, 'limitBytes') ?? Infinity;
  const isStamped = query.get('timestamps') === 'true';
  await send(response, format(engine.containers.logs(chosen.id, options), isStamped), limit);
  response.end();
}

function streamsOf(stream: string): { readonly stdout: boolean; readonly stderr: boolean } {
  return { stdout: stream !== 'Stderr', stderr: stream !== 'Stdout' };
}

/** The run whose log is meant. Throws `BadRequest` in upstream's words. */
function chooseRun({ run, container, runs }: FoundContainer, isPrevious: boolean): Container {
  const { name } = container.spec;
  const started = runs.filter((each) => isRunning(each) || isOver(each));
  const [newest, before] = started;
  // While the next run is being made, the one that is over is the last.
  const previous = newest && isOver(newest) && run.waiting.has(name) ? newest : before;
  if (isPrevious) {
    if (previous) return previous;
    throw new StatusError('BadRequest', `previous terminated container "${name}" in pod "${run.ref.name}" not found`);
  }
  if (newest) return newest;
  const { reason = 'ContainerCreating' } = run.waiting.get(name) ?? {};
  const waits =
    reason === 'ErrImagePull' || reason === 'ImagePullBackOff' ? 'trying and failing to pull image' : reason;
  throw new StatusError('BadRequest', `container "${name}" in pod "${run.ref.name}" is waiting to start: ${waits}`);
}

function tailOf(query: URLSearchParams): { readonly tail?: number } {
  const tail = numberOf(query, 'tailLines');
  return tail === undefined ? {} : { tail };
}

function sinceOf(query: URLSearchParams, now: number): { readonly since?: number } {
  const seconds = numberOf(query, 'sinceSeconds');
  if (seconds !== undefined) return { since: now - seconds * 1000 };
  const time = query.get('sinceTime');
  if (time === null) return {};
  const since = Date.parse(time);
  if (Number.isNaN(since)) throw new StatusError('BadRequest', `invalid sinceTime "${time}"`);
  return { since };
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new StatusError('BadRequest', `invalid ${name} "${text}"`);
  return Number(text);
}

/** Lines as they are sent; a piece of a line that is still being written has no end yet. */
async function* format(entries: AsyncIterable<LogEntry>, isStamped: boolean): AsyncGenerator<Buffer> {
  let isLineStart = true;
  for await (const { atNs, data, isPartial } of entries) {
    const stamp = isStamped && isLineStart ? `${nanoTimestamp(atNs)} ` : '';
    yield Buffer.concat([Buffer.from(stamp), data, Buffer.from(isPartial ? '' : '\n')]);
    isLineStart = !isPartial;
  }
}

/** RFC 3339 with nanoseconds. */
function nanoTimestamp(atNs: bigint): string {
  const seconds = new Date(Number(atNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(atNs % 1_000_000_000n).padStart(9, '0')}Z`;
}

async function send(response: ServerResponse, pieces: AsyncIterable<Buffer>, limitBytes: number): Promise<void> {
  let left = limitBytes;
  for await (const piece of pieces) {
    const part = piece.subarray(0, left);
    left -= part.length;
    // Which of both comes is no matter: a client that left is seen at the next piece.
    if (!response.write(part)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    if (left <= 0 || response.destroyed) return;
  }
}
