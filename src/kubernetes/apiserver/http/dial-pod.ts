import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { DabbaError } from '#base';
import type { ClusterPorts } from '../../cluster-settings.ts';
import { portForwardProtocol } from '../../streaming/port-forward.ts';
import { SpdyConnection } from '../../streaming/spdy/connection.ts';

export interface PodPort {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  readonly isTls: boolean;
}

/**
 * A connection to a port of a pod, by way of its kubelet's port-forward: pods live in networks of their own, where the API server is not. Throws `Unavailable` when the kubelet does
 * not answer; what the pod refuses ends the connection.
 */
export async function dialPod(
  dialKubelet: ClusterPorts['dialKubelet'],
  { node, namespace, pod, port, isTls }: PodPort,
  signal: AbortSignal,
): Promise<Duplex> {
  const kubelet = await dialKubelet(node, signal);
  const path = `/portForward/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}?port=${port}`;
  const wire = await upgradeToSpdy(kubelet, { node, path, signal });
  const connection = new SpdyConnection(wire, { role: 'client', onStream: (stream) => stream.destroy() });
  const headers = (kind: string) =>
    new Map([
      ['streamtype', kind],
      ['port', String(port)],
      ['requestid', '0'],
    ]);
  const failure = connection.createStream(headers('error'));
  const data = connection.createStream(headers('data'));
  // Nothing is sent on the stream of errors; what comes on it is the reason of an end.
  failure.end();
  failure.on('data', (reason: Buffer) => data.destroy(new DabbaError('Unavailable', reason.toString())));
  data.once('close', () => connection.close());
  // The pod's certificate is its own affair, as upstream's proxy has it.
  return isTls ? connectTls({ socket: data, rejectUnauthorized: false }) : data;
}

function upgradeToSpdy(
  kubelet: Duplex,
  { node, path, signal }: { readonly node: string; readonly path: string; readonly signal: AbortSignal },
): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  request({
    method: 'POST',
    path,
    createConnection: () => kubelet,
    signal,
    headers: {
      host: node,
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      'x-stream-protocol-version': portForwardProtocol,
    },
  })
    .on('upgrade', (_answer, socket: Duplex, head: Buffer) => {
      if (head.length) socket.unshift(head);
      resolve(socket);
    })
    .on('response', ({ statusCode }: IncomingMessage) => {
      kubelet.destroy();
      reject(new DabbaError('Unavailable', `the kubelet of ${node} answered ${statusCode} to a port-forward`));
    })
    .on('error', reject)
    .end();
  return promise;
}
