import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DabbaError } from '#base';
import { contextPaths } from '#engine';
import { UsageError } from './command.ts';

/** A build context on its way. */
export interface PackedContext extends AsyncDisposable {
  /** A tar. */
  readonly archive: Readable;
  /** Path of the Dockerfile in it. */
  readonly dockerfile: string;
  /** What the user calls it. */
  readonly dockerfileName: string;
}

/** Packs a directory, without what its `.dockerignore` leaves out; `-` is standard input, a tar or a Dockerfile. */
export async function openBuildContext(place: string, file: string | undefined): Promise<PackedContext> {
  if (place === '-') return await fromInput(file);
  if (/^(?:https?|git|ssh):\/\/|^git@/.test(place))
    throw new UsageError(
      `dabba build: ${place}: remote contexts are not supported`,
      'clone it, and build in the directory',
    );
  if (!statSync(place, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`dabba build: there is no directory ${place}`);
  const root = resolve(place);
  if (file === '-') return packDirectory(root, { text: await readAll(process.stdin) });
  const path = resolve(file ?? join(root, 'Dockerfile'));
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new UsageError(`dabba build: there is no ${file ?? `Dockerfile in ${place}`}`, 'name it with -f FILE');
  const inside = relative(root, path);
  return packDirectory(root, inside.startsWith('..') ? { path } : { inside });
}

/** The Dockerfile: in the context, elsewhere, or as text. */
type DockerfilePlace = { readonly inside: string } | { readonly path: string } | { readonly text: Buffer };

const strayName = '.dabba.Dockerfile';

function packDirectory(root: string, dockerfile: DockerfilePlace): PackedContext {
  const extra = mkdtempSync(join(tmpdir(), 'dabba-build-'));
  const remove = () => rmSync(extra, { recursive: true, force: true });
  const stray = join(extra, strayName);
  if ('text' in dockerfile) writeFileSync(stray, dockerfile.text);
  if ('path' in dockerfile) {
    copyFileSync(dockerfile.path, stray);
    const ignore = `${dockerfile.path}.dockerignore`;
    if (statSync(ignore, { throwIfNoEntry: false })) copyFileSync(ignore, `${stray}.dockerignore`);
  }
  const name = 'inside' in dockerfile ? dockerfile.inside : strayName;
  const own = 'inside' in dockerfile ? `${join(root, name)}.dockerignore` : `${stray}.dockerignore`;
  const ignoreText = readIfThere(own) ?? readIfThere(join(root, '.dockerignore')) ?? '';
  // These go along whatever the .dockerignore says: the builder reads them.
  const always = [name, `${name}.dockerignore`, '.dockerignore'];
  const strays = always.filter((path) => statSync(join(extra, path), { throwIfNoEntry: false }));
  const args = ['--null', '--no-recursion', '--numeric-owner', '--format=posix', '-cf', '-', '-C', root, '-T', '-'];
  const child = spawn('tar', [...args, ...(strays.length > 0 ? ['-C', extra, ...strays] : [])], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const complaints: Buffer[] = [];
  child.stderr.on('data', (data: Buffer) => complaints.push(data));
  // When tar ends early its status tells why.
  const fed = pipeline(Readable.from(namesOf(root, ignoreText, always)), child.stdin).catch((error: unknown) => {
    child.kill();
    return error;
  });
  return {
    archive: Readable.from(checked(child, fed, complaints)),
    dockerfile: name,
    dockerfileName: 'inside' in dockerfile ? name : 'path' in dockerfile ? dockerfile.path : 'the Dockerfile given',
    async [Symbol.asyncDispose]() {
      child.kill();
      await fed;
      remove();
    },
  };
}

function* namesOf(root: string, ignoreText: string, always: readonly string[]): Generator<string> {
  const missing = new Set(always.filter((path) => statSync(join(root, path), { throwIfNoEntry: false })));
  for (const path of contextPaths(root, ignoreText)) {
    missing.delete(path);
    yield `${path}\0`;
  }
  for (const path of missing) yield `${path}\0`;
}

/** The archive, whose end counts only when tar says that it is one. */
async function* checked(
  child: ReturnType<typeof spawn>,
  fed: Promise<unknown>,
  complaints: readonly Buffer[],
): AsyncGenerator<Buffer> {
  const exited = once(child, 'close');
  for await (const piece of child.stdout!) yield piece as Buffer; // it was asked for as a pipe, which gives buffers
  const [status] = (await exited) as [number | null];
  const failure = await fed;
  // 1: a file changed while it was read, which a build may live with.
  if (status === 0 || status === 1) return;
  if (failure instanceof DabbaError) throw failure;
  throw new DabbaError('Unavailable', `packing the context failed: ${Buffer.concat(complaints).toString().trim()}`);
}

async function fromInput(file: string | undefined): Promise<PackedContext> {
  const input = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>; // standard input gives buffers
  const pieces: Buffer[] = [];
  let bytes = 0;
  while (bytes < 512) {
    const next = await input.next();
    if (next.done) break;
    pieces.push(next.value);
    bytes += next.value.length;
  }
  const head = Buffer.concat(pieces);
  if (!isArchive(head)) {
    const rest = await readAll({ [Symbol.asyncIterator]: () => input });
    const empty = mkdtempSync(join(tmpdir(), 'dabba-empty-'));
    const packed = packDirectory(empty, { text: Buffer.concat([head, rest]) });
    return {
      ...packed,
      async [Symbol.asyncDispose]() {
        await packed[Symbol.asyncDispose]();
        rmSync(empty, { recursive: true, force: true });
      },
    };
  }
  const archive = Readable.from(
    (async function* () {
      yield head;
      yield* { [Symbol.asyncIterator]: () => input };
    })(),
  );
  const dockerfile = file ?? 'Dockerfile';
  return { archive, dockerfile, dockerfileName: dockerfile, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** By its first bytes: tar, gzip, zstd. */
const isArchive = (head: Buffer) =>
  head.subarray(257, 262).toString() === 'ustar' ||
  head.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b])) ||
  head.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const readIfThere = (path: string) =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, 'utf8') : undefined;
