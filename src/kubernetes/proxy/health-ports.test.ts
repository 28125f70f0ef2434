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
import { createHealthPorts, type HealthPortsOptions } from './health-ports.ts';

/** Ports over objects in memory; `serveAt` is given the key of each. */
function portsWith(serveAt: (at: string, server: Server) => AsyncDisposable, more: Partial<HealthPortsOptions> = {}) {
  const client = new MemoryClient();
  const ports = createHealthPorts({
    copies: networkCopies(new MemoryInformers(client)),
    serveAt: (id, port, server) => serveAt(`${id}:${port}`, server),
    isProxyHealthy: () => true,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ...more,
  });
  return { client, ports };
}

const until = async (isTrue: () => boolean) => {
  while (!isTrue()) await nextTurn();
};
const metadata = { name: 'web', namespace: 'a' };
const spec = { healthCheckNodePort: 30_100, ports: [{ port: 80 }] };
const [n1, n2] = [
  { name: 'n1', networkInterfaceId: 'eni-1' },
  { name: 'n2', networkInterfaceId: 'eni-2' },
];

test('each node says how many of a service it has, for as long as the service asks', async () => {
  const open = new Map<string, Server>();
  let isBusy = true;
  let isProxyHealthy = true;
  const { client, ports } = portsWith(
    (at, server) => {
      if (isBusy) throw new Error('in use');
      open.set(at, server.listen(0, '127.0.0.1'));
      return {
        async [Symbol.asyncDispose]() {
          open.delete(at);
          await new Promise((resolve) => server.close(resolve));
        },
      };
    },
    { isProxyHealthy: () => isProxyHealthy },
  );
  ports.setNodes([n1, n2]);
  await client.create(services, { metadata, spec });
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
  isProxyHealthy = false;
  assert.deepEqual(await ask('eni-1'), {
    status: 503,
    body: { service: { namespace: 'a', name: 'web' }, localEndpoints: 1, serviceProxyHealthy: false },
  });
  ports.setNodes([n1]);
  await until(() => open.size === 1);
  await client.delete(services, metadata);
  await until(() => open.size === 0);
  await ports.stop();
});

test('what is stopped in the midst of a change leaves no port open', async () => {
  const open = new Set<string>();
  const closing = Promise.withResolvers<void>();
  const { client, ports } = portsWith((at) => {
    open.add(at);
    return {
      async [Symbol.asyncDispose]() {
        await closing.promise;
        open.delete(at);
      },
    };
  });
  ports.setNodes([n1]);
  await client.create(services, { metadata, spec });
  await until(() => open.size === 1);
  ports.setNodes([n2]);
  await nextTurn();
  const stopped = ports.stop();
  await nextTurn();
  closing.resolve();
  await stopped;
  await nextTurn();
  assert.deepEqual([...open], []);
});

test('they can be stopped though the cluster never answered', { timeout: 5_000 }, async () => {
  const copies = networkCopies(new MemoryInformers(new MemoryClient()));
  const silent = { ...copies.services, onChange: () => () => undefined, synced: () => new Promise<void>(() => {}) };
  const { ports } = portsWith(() => assert.fail('nothing is known to serve'), {
    copies: { ...copies, services: silent },
  });
  ports.setNodes([n1]);
  await nextTurn();
  await ports.stop();
});
