import type { MessagePort } from 'node:worker_threads';
import { workerData } from 'node:worker_threads';
import { Digester, type DigestAlgorithm } from '#base';

/** Hashes what comes through its port, in order, and answers each piece with its length; `end` is answered with the digest. */
const { port, algorithm } = workerData as { readonly port: MessagePort; readonly algorithm: DigestAlgorithm }; // as `startHashing` gives
const digester = new Digester(algorithm);
port.on('message', (message: Uint8Array | 'end') => {
  if (message === 'end') return port.postMessage(digester.digest());
  digester.update(message);
  port.postMessage(message.length);
});
