import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttachedInterface } from '#network';
import { networkInterface, node } from './fakes/node.ts';
import { PodNetworks } from './network.ts';

test('a pod that is given up is not let go of while its network is being made', async () => {
  const making = Promise.withResolvers<AttachedInterface>();
  const networks = new PodNetworks({
    node,
    plane: { attach: () => making.promise, detach: async () => undefined },
    services: {
      assignAddress: async () => networkInterface('eni-p', '10.0.0.9'),
      releaseAddress: async () => undefined,
      pullCredentials: async () => undefined,
    },
    filters: {
      hold: async () => {
        throw new Error('given up');
      },
    },
    networkInterfaces: { get: async () => undefined },
  });
  const pod = { node, namespace: 'default', name: 'p', uid: 'u', serviceAccount: 'default' };
  let isOver = false;
  const attached = networks
    .attach(pod, { onAssigned: async () => undefined, ids: undefined }, AbortSignal.timeout(10_000))
    .finally(() => (isOver = true));
  attached.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isOver, false);
  making.resolve({ netnsPath: '/run/netns/p' } as AttachedInterface);
  await assert.rejects(attached, /given up/);
});
