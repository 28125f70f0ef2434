import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statefulSets } from '../../resources.ts';
import { makeTestCluster } from '../../test-cluster.ts';
import type { StatefulSet } from '../../types.ts';

test(
  'what a stateful set would let be unavailable is not kept, for it is not looked at',
  { timeout: 20_000 },
  async () => {
    await using cluster = await makeTestCluster();
    const labels = { app: 'db' };
    const set: StatefulSet = {
      metadata: { namespace: 'default', name: 'db' },
      spec: {
        serviceName: 'db',
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1, maxUnavailable: 2 } },
      },
    };
    const made = await cluster.client.create(statefulSets, set);
    assert.deepEqual(made.spec?.updateStrategy?.rollingUpdate, { partition: 1 });
    const updated = await cluster.client.update(statefulSets, {
      ...made,
      spec: set.spec!,
    });
    assert.deepEqual(updated.spec?.updateStrategy?.rollingUpdate, { partition: 1 });
  },
);
