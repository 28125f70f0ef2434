import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#base';
import { setTimes } from '#kernel';
import type { BuildRun } from './build-run.ts';
import type { FoundSource } from './copy-sources.ts';
import { stepFault } from './fault.ts';
import { fetchRepository, isRepository, withoutCredentials } from './git.ts';
import type { InstructionOf } from './instruction.ts';

type Add = InstructionOf<'COPY' | 'ADD'>;

/** What is larger is no part of an image. */
const limitBytes = 16 * 2 ** 30;

/** True for a source of ADD that is elsewhere: a URL or a repository. */
export const isRemote = (text: string) => /^(?:https?|git|ssh):\/\//i.test(text) || /^git@[\w.-]+:/.test(text);

/** Fetches a remote source of ADD into a directory that goes with `opened`. What has not the checksum asked for is `InvalidArgument`. */
export async function fetchSource(
  build: BuildRun,
  add: Add,
  text: string,
  opened: AsyncDisposableStack,
): Promise<FoundSource> {
  const { snapshots } = build.parts.internals;
  const root = await snapshots.makeTemporary();
  opened.defer(() => snapshots.discard(root));
  await build.emit({ kind: 'note', text: `Fetching ${withoutCredentials(text)}` });
  const path = isRepository(text)
    ? await fetchRepository(build, add, text, root)
    : await download(build, add, text, root);
  const exclude = add.excludes.length === 0 ? {} : { exclude: add.excludes.join('\n') };
  return { root, path, name: path, isFetched: true, ...exclude };
}

/** Downloads a file, readable for root alone, with the time the server gives it. Its name is that of the URL. */
async function download(build: BuildRun, add: Add, url: string, root: string): Promise<string> {
  const name = nameOf(add, url);
  const fault = (why: string, cause?: unknown) =>
    stepFault('Unavailable', add.at, `ADD ${withoutCredentials(url)}: ${why}`, cause);
  const response = await fetch(url, { signal: build.request.signal }).catch((error: unknown) => {
    build.request.signal.throwIfAborted();
    throw fault(messageOf(error instanceof Error && error.cause ? error.cause : error), error);
  });
  if (!response.ok) throw fault(`the server answered ${response.status} ${response.statusText}`);
  const hash = checksumOf(add);
  const file = await open(join(root, name), 'wx', 0o600);
  try {
    let bytes = 0;
    for await (const piece of response.body ?? []) {
      bytes += piece.length;
      if (bytes > limitBytes) throw fault(`it is larger than ${limitBytes} bytes`);
      hash?.digest.update(piece);
      await file.writeFile(piece);
    }
  } finally {
    await file.close();
  }
  const found = hash?.digest.digest('hex');
  if (found !== hash?.expected)
    throw stepFault(
      'InvalidArgument',
      add.at,
      `ADD ${withoutCredentials(url)}: digest mismatch: it is ${hash?.algorithm}:${found}, not ${add.checksum}`,
    );
  const modifiedAt = Date.parse(response.headers.get('last-modified') ?? '');
  setTimes(join(root, name), BigInt(Number.isNaN(modifiedAt) ? 0 : modifiedAt) * 1_000_000n);
  return name;
}

function nameOf(add: Add, url: string): string {
  const parts = parseUrl(add, url).pathname.split('/');
  const name = decodeURIComponent(parts.at(-1)!);
  if (name !== '' && !/[/\0]|^\.\.?$/.test(name)) return name;
  if (!add.destination.endsWith('/')) return 'download';
  throw stepFault('InvalidArgument', add.at, `ADD ${url}: the URL has no file name; name the destination in full`);
}

function parseUrl(add: Add, url: string): URL {
  try {
    const parsed = new URL(url);
    decodeURIComponent(parsed.pathname);
    return parsed;
  } catch (error) {
    throw stepFault('InvalidArgument', add.at, `ADD ${url}: this is no well-formed URL`, error);
  }
}

function checksumOf({ checksum, at }: Add) {
  if (checksum === undefined) return undefined;
  const [, algorithm, expected] = /^(sha256|sha384|sha512):([0-9a-f]+)$/.exec(checksum) ?? [];
  if (algorithm === undefined || expected === undefined)
    throw stepFault('InvalidArgument', at, `ADD --checksum=${checksum}: write it as sha256:… in hexadecimal digits`);
  return { algorithm, expected, digest: createHash(algorithm) };
}
