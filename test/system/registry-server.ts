/** A registry over the embedded store and a disk, for tests that kill it: `node registry-server.ts <directory>` prints its port. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DabbaError, silentLogger, systemClock, systemRandom } from '#base';
import { openDiskBlobStore } from '#blob';
import { createRegistry, createRegistryContent, type RegistryServer } from '#registry';
import { openSqliteStore } from '#store';

const directory = process.argv[2]!;
const password = `Basic ${Buffer.from('AWS:secret').toString('base64')}`;
const common = { clock: systemClock, random: systemRandom, logger: silentLogger };
const registry: RegistryServer = createRegistry({
  ...common,
  content: createRegistryContent({
    store: openSqliteStore({ ...common, directory: join(directory, 'store') }),
    blobs: await openDiskBlobStore({ directory: join(directory, 'blobs'), clock: systemClock }),
    clock: systemClock,
  }),
  policy: {
    resolve: (_, name) => ({ registry: '000000000000/us-east-1', name }),
    async authenticate(authorization) {
      if (authorization === undefined) return undefined;
      if (authorization !== password) throw new DabbaError('Unauthenticated', 'wrong password');
      return { principal: 'AWS' };
    },
    challenge: (host) => `Basic realm="https://${host}/",service="ecr.amazonaws.com"`,
    async authorize(caller) {
      if (!caller) throw new DabbaError('Unauthenticated', 'Not Authorized');
    },
    requireRepository: async (repository) => await registry.content.createRepository(repository),
    checkTagChange: async () => undefined,
    observed: () => undefined,
  },
});
const server = createServer((request, response) => void registry.handle(request, response));
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
