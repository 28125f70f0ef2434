import { parentPort } from 'node:worker_threads';
import { createGzip } from 'node:zlib';
import { Digester } from '#base';
import { takeFileOwner, ThreadRoot } from '#kernel';
import { faultOf, type Answer } from './answer.ts';
import { TreeWriter } from './apply.ts';
import type { FileChange, PathStat } from '../files.ts';
import type { CompareRequest, Packed, PackRequest, StatRequest, Unpacked, UnpackRequest } from './archives.ts';
import { ByteReceiver, ByteSender, isChannelMessage, Portions, type Post } from './channel.ts';
import { compareWithLower, readUpper } from './compare.ts';
import { decoded, verifiedPlain } from './decode.ts';
import { ownerOnMachine } from '../mapped-owner.ts';
import { byteName } from './names.ts';
import { statPath } from './path-stat.ts';
import { readFile } from './read-file.ts';
import { readRing, type Ring } from './ring.ts';
import { TarReader } from './tar-reader.ts';
import type { Pieces } from './verify.ts';
import { TreeReader } from './walk.ts';

/** What `ArchiveWorker` asks of this thread, one task at a time; bytes come and go by `channel.ts`. */
export type Task =
  | ({ readonly kind: 'unpack' } & Pick<
      UnpackRequest,
      'root' | 'directory' | 'form' | 'onto' | 'expectedDigest' | 'expectedDiffId'
    > & {
        /** Where the bytes come decoded and hashed, if another thread does that. */
        readonly ring?: Ring;
        /** The plain archive, where it is an open file. */
        readonly file?: number;
      })
  | ({ readonly kind: 'pack'; readonly isWritten: boolean } & Pick<
      PackRequest,
      'root' | 'content' | 'ids' | 'except' | 'timestamp' | 'compression'
    >)
  | ({ readonly kind: 'compare' } & Omit<CompareRequest, 'signal'>)
  | ({ readonly kind: 'stat' } & Omit<StatRequest, 'signal'>);

export type Result = Unpacked | Packed | readonly FileChange[] | PathStat | undefined;

const port = parentPort;
if (!port) throw new Error('layer/worker.ts runs on a worker thread');
const post: Post = (message, transfer) => port.postMessage(message, transfer);
const threadRoot = new ThreadRoot();
let receiver = new ByteReceiver(post);
let sender = new ByteSender(post);

port.on('message', (message: unknown) => {
  if (!isChannelMessage(message)) {
    receiver = new ByteReceiver(post);
    sender = new ByteSender(post);
    void answer(message as Task); // the only other thing ArchiveWorker sends
  } else if (typeof message === 'object' && 'taken' in message) sender.taken(message.taken);
  else receiver.receive(message);
});

async function answer(task: Task): Promise<void> {
  let reply: Answer<Result>;
  try {
    reply = { result: await perform(task) };
  } catch (error) {
    reply = { error: faultOf(error) };
  }
  port?.postMessage(reply);
}

async function perform(task: Task): Promise<Result> {
  if (task.kind === 'compare') return compare(task);
  using _ = threadRoot.enter(task.root);
  if (task.kind === 'unpack') return await unpack(task);
  return task.kind === 'pack' ? await pack(task) : statPath(task.path);
}

/** One tree after the other, for this thread has one root directory at a time. */
function compare({ upper, lower, except }: Task & { readonly kind: 'compare' }): readonly FileChange[] {
  const entries = (() => {
    using _ = threadRoot.enter(upper);
    return readUpper(except);
  })();
  using _ = threadRoot.enter(lower);
  return compareWithLower(entries);
}

async function unpack(task: Task & { readonly kind: 'unpack' }): Promise<Unpacked> {
  const ids = task.onto?.ids;
  using _ = ids && takeFileOwner(ownerOnMachine(ids, { uid: 0, gid: 0 }));
  const writer = new TreeWriter(byteName(task.directory ?? '/'), task.form, task.onto);
  const reader = new TarReader(writer);
  try {
    // The other thread's bytes without a turn of this one's loop: nothing else is to be done here.
    if (task.ring) for (const chunk of readRing(task.ring)) reader.push(chunk);
    else for await (const chunk of await piecesOf(task)) reader.push(chunk);
    reader.end();
    writer.finish();
  } finally {
    writer.close();
  }
  return { contentBytes: writer.contentBytes, entries: reader.entries };
}

async function piecesOf(task: Task & { readonly kind: 'unpack' }): Promise<Pieces> {
  if (task.file === undefined) return await decoded(receiver, task);
  return verifiedPlain(counted(readFile(task.file)), task);
}

/** Nobody waits for what was taken of a file: it is told for who looks on. */
const shownBytes = 16 * 1024 ** 2;

function* counted(pieces: Iterable<Buffer>): Generator<Buffer, void> {
  const portions = new Portions(post, shownBytes);
  for (const piece of pieces) {
    yield piece;
    portions.add(piece.length);
  }
}

async function pack(task: Task & { readonly kind: 'pack' }): Promise<Packed> {
  const digester = new Digester();
  const reader = new TreeReader(task);
  const write = task.isWritten ? outputOf(task.compression ?? 'none') : undefined;
  for (const chunk of reader.read()) {
    digester.update(chunk);
    await write?.chunk(chunk);
  }
  await write?.end();
  return { diffId: digester.digest(), tarBytes: digester.sizeBytes, contentBytes: reader.contentBytes };
}

interface Output {
  /** Resolves when the chunk may be reused. */
  chunk(chunk: Buffer): Promise<void>;
  end(): Promise<void>;
}

function outputOf(compression: 'none' | 'gzip'): Output {
  if (compression === 'none') return { chunk: (chunk) => sender.send(chunk), end: async () => sender.end() };
  // Level and header are fixed, so that equal layers compress to equal blobs.
  const gzip = createGzip({ level: 6, chunkSize: 256 * 1024 });
  const sent = (async () => {
    for await (const chunk of gzip) await sender.send(chunk as Buffer); // the encoder is in byte mode
    sender.end();
  })();
  return {
    chunk: (chunk) =>
      new Promise((resolve, reject) => gzip.write(chunk, (error) => (error ? reject(error) : resolve()))),
    end: async () => {
      gzip.end();
      await sent;
    },
  };
}
