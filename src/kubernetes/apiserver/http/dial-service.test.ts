import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import { after, before, test } from 'node:test';
import { MemoryClient } from '../../client/memory-client.ts';
import { MemoryInformers } from '../../client/memory-informers.ts';
import { endpointSlices, services } from '../../resources.ts';
import { forwardPorts, portForwardProtocol } from '../../streaming/port-forward.ts';
import { acceptSpdy } from '../../streaming/spdy-upgrade.ts';
import { dialPod } from './dial-pod.ts';
import { serviceDialer } from './dial-service.ts';

/** A process of a pod: it says everything twice. */
const echo = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('data', (chunk: Buffer) => socket.write(Buffer.concat([chunk, chunk])));
  socket.on('end', () => socket.end());
});
const kubelet = createHttpServer();
const asked: string[] = [];

before(async () => {
  await once(echo.listen(0, '127.0.0.1'), 'listening');
  kubelet.on('upgrade', (request, socket) => {
    asked.push(request.url!);
    acceptSpdy(socket, portForwardProtocol);
    const dial = async (port: number) => {
      if (port !== 8443) throw new Error('connection refused');
      return connect((echo.address() as AddressInfo).port, '127.0.0.1');
    };
    void forwardPorts(socket, dial, 'p');
  });
});
after(() => void echo.close());

async function setUp(port: number) {
  const client = new MemoryClient();
  const dial = serviceDialer({
    informers: new MemoryInformers(client),
    async dialKubelet(node) {
      assert.equal(node, 'n1');
      const [ours, theirs] = duplexPair();
      kubelet.emit('connection', theirs);
      return ours;
    },
  });
  await client.create(services, {
    metadata: { name: 'hooks', namespace: 'default' },
    spec: { ports: [{ port: 443 }] },
  });
  await client.create(endpointSlices, {
    metadata: { name: 'hooks-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'hooks' } },
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.0.0.1'],
        conditions: { ready: false },
        nodeName: 'n2',
        targetRef: { kind: 'Pod', name: 'not-yet' },
      },
      { addresses: ['10.0.0.2'], conditions: { ready: true }, nodeName: 'n1', targetRef: { kind: 'Pod', name: 'p' } },
    ],
    ports: [{ port }],
  });
  return (name: string) => dial({ namespace: 'default', name, port: 443 }, AbortSignal.timeout(5000));
}

test('a service is reached through the kubelet of a ready pod', async () => {
  const dial = await setUp(8443);
  const stream = await dial('hooks');
  stream.end('ping');
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'pingping');
  assert.match(asked.at(-1)!, /^\/portForward\/default\/p(?:\?|$)/);
  await assert.rejects(dial('absent'), { message: 'service "absent" not found', code: 503 });
});

test('a port nobody listens on ends the connection with the reason', async () => {
  const dial = await setUp(1);
  const stream = await dial('hooks');
  stream.write('ping');
  await assert.rejects(once(stream, 'end'), /error forwarding port 1 to pod p: connection refused/);
});

test('a kubelet that does not answer is waited for no longer than was asked', { timeout: 5000 }, async () => {
  const silent = createHttpServer().on('upgrade', () => undefined);
  const [ours, theirs] = duplexPair();
  const dialKubelet = async () => {
    silent.emit('connection', theirs);
    return ours;
  };
  const place = { node: 'n1', namespace: 'default', pod: 'p', port: 1, isTls: false };
  await assert.rejects(dialPod(dialKubelet, place, AbortSignal.timeout(20)), { name: 'AbortError' });
  assert.equal(ours.destroyed, true);
});
