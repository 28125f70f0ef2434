import { parentPort, workerData } from 'node:worker_threads';
import { faultOf, type Answer } from './answer.ts';
import { ByteReceiver, isChannelMessage, type Post } from './channel.ts';
import { decoded, type ExpectedDigests, verifiedPlain } from './decode.ts';
import { readFile } from './read-file.ts';
import { endRing, writeRing, type Ring } from './ring.ts';

/** What `DecodeThread` asks of this thread, one at a time. */
export interface DecodeTask extends ExpectedDigests {
  /** The archive, where it is a plain one in an open file: it is hashed, and read by who needs it besides. Otherwise it comes by `channel.ts`. */
  readonly file?: number;
}

/** Decodes archives into a ring and hashes them, one after another, and says of each that all is as expected or what is not. */
const port = parentPort;
if (!port) throw new Error('layer/decode.worker.ts runs on a worker thread');
const ring = workerData as Ring; // as `DecodeThread` gives
const post: Post = (message, transfer) => port.postMessage(message, transfer);
let receiver = new ByteReceiver(post);

port.on('message', (message: unknown) => {
  if (!isChannelMessage(message)) {
    receiver = new ByteReceiver(post);
    void answer(message as DecodeTask); // the only other thing DecodeThread sends
  } else if (message === 'end' || 'chunk' in message) receiver.receive(message);
});

async function answer(task: DecodeTask): Promise<void> {
  let reply: Answer<undefined>;
  try {
    if (task.file === undefined) await decode(task);
    else for await (const _ of verifiedPlain(readFile(task.file), task));
    reply = { result: undefined };
  } catch (error) {
    reply = { error: faultOf(error) };
  }
  port?.postMessage(reply);
}

async function decode(expected: ExpectedDigests): Promise<void> {
  for await (const chunk of await decoded(receiver, expected)) writeRing(ring, chunk);
  endRing(ring);
}
