import { type IncomingMessage, request } from 'node:http';
import { DabbaError } from '#base';
import type { ClusterPorts } from '../../cluster-settings.ts';

/** Asks a node's kubelet for a JSON document. Throws `Unavailable`. */
export async function getFromKubelet(
  dialKubelet: ClusterPorts['dialKubelet'],
  { node, path, signal }: { readonly node: string; readonly path: string; readonly signal: AbortSignal },
): Promise<unknown> {
  const connection = await dialKubelet(node, signal);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ path, createConnection: () => connection, headers: { host: node, connection: 'close' }, signal })
    .on('response', resolve)
    .on('error', reject)
    .end();
  try {
    const response = await promise;
    const pieces: Buffer[] = [];
    // Without an encoding set, a response gives buffers.
    for await (const piece of response) pieces.push(piece as Buffer);
    if (response.statusCode !== 200)
      throw new DabbaError('Unavailable', `the kubelet of ${node} answered ${response.statusCode} to ${path}`);
    return JSON.parse(Buffer.concat(pieces).toString()) as unknown;
  } finally {
    connection.destroy();
  }
}
