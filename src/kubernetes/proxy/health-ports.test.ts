import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import { MemoryClient } from '../client/memory-client.ts';
import { MemoryInformers } from '../client/memory-informers.ts';
import { endpointSlices, services } from '../resources.ts';
import { networkCopies } from './copies.ts';
import { createHealthPorts } from './health-ports.ts';

test('each node says how many of a service it has, for as long as the service asks', async () => {
  const client = new MemoryClient();
  const open = new Map<string, Server>();
  let isBusy = true;
  const ports = createHealthPorts({
    copies: networkCopies(new MemoryInformers(client)),
    serveAt(id, port, server) {
      if (isBusy) throw new Error('in use');
      open.set(`${id}:${port}`, server.listen(0, '127.0.0.1'));
      return {
        async [Symbol.asyncDispose]() {
          open.delete(`${id}:${port}`);
          await new Promise((resolve) => server.close(resolve));
        },
      };
    },
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await nextTurn();
  };
  ports.setNodes([
    { name: 'n1', networkInterfaceId: 'eni-1' },
    { name: 'n2', networkInterfaceId: 'eni-2' },
  ]);
  const metadata = { name: 'web', namespace: 'a' };
  await client.create(services, { metadata, spec: { healthCheckNodePort: 30_100, ports: [{ port: 80 }] } });
  isBusy = false;
  await until(() => open.size === 2);
  const ask = async (id: string) => {
    const server = open.get(`${id}:30100`)!;
    if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } });
    return { status: answer.status, body: (await answer.json()) as { readonly localEndpoints: number } };
  };
  assert.equal((await ask('eni-1')).status, 503);
  await client.create(endpointSlices, {
    metadata: { name: 'web-1', namespace: 'a', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['10.0.0.1'], nodeName: 'n1' },
      { addresses: ['10.0.0.2'], nodeName: 'n1', conditions: { ready: false } },
    ],
    ports: [{ name: '', port: 8080 }],
  });
  assert.deepEqual(await ask('eni-1'), {
    status: 200,
    body: { service: { namespace: 'a', name: 'web' }, localEndpoints: 1, serviceProxyHealthy: true },
  });
  assert.equal((await ask('eni-2')).status, 503);
  ports.setNodes([{ name: 'n1', networkInterfaceId: 'eni-1' }]);
  await until(() => open.size === 1);
  await client.delete(services, metadata);
  await until(() => open.size === 0);
  await ports.stop();
});
