import { parentPort, workerData } from 'node:worker_threads';
import { faultOf, type Answer } from './answer.ts';
import { ByteReceiver, isChannelMessage, type Post } from './channel.ts';
import { decoded, type ExpectedDigests } from './decode.ts';
import { endRing, writeRing, type Ring } from './ring.ts';

/** Decodes and hashes one archive after another, which come by `channel.ts`, into a ring, and says of each that all is as expected or what is not. */
const port = parentPort;
if (!port) throw new Error('layer/decode.worker.ts runs on a worker thread');
const ring = workerData as Ring; // as `DecodeThread` gives
const post: Post = (message, transfer) => port.postMessage(message, transfer);
let receiver = new ByteReceiver(post);

port.on('message', (message: unknown) => {
  if (!isChannelMessage(message)) {
    receiver = new ByteReceiver(post);
    void answer(message as ExpectedDigests); // the only other thing DecodeThread sends
  } else if (message === 'end' || 'chunk' in message) receiver.receive(message);
});

async function answer(expected: ExpectedDigests): Promise<void> {
  let reply: Answer<undefined>;
  try {
    for await (const chunk of await decoded(receiver, expected)) writeRing(ring, chunk);
    endRing(ring);
    reply = { result: undefined };
  } catch (error) {
    reply = { error: faultOf(error) };
  }
  port?.postMessage(reply);
}
