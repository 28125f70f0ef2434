import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import { bootstrapClusterRoleBindings } from '../auth/rbac/bootstrap-roles.ts';
import { usernameOf } from '../auth/service-account-tokens.ts';
import type { ApiClient } from '../client/client.ts';
import type { EventRecorder } from '../events.ts';
import { deployments, nodes, pods, replicaSets, secrets } from '../resources.ts';
import { isStatusError } from '../status.ts';
import { makeTestCluster, type TestCluster } from '../test-cluster.ts';
import { userOfController } from './accounts.ts';
import { controllersOf } from './index.ts';

const isForbidden = (error: unknown) => isStatusError(error, 'Forbidden');
const noEvents: EventRecorder = { record: () => undefined, as: () => noEvents };

function clientOf(cluster: TestCluster, controller: string): ApiClient {
  return cluster.clientFor(userOfController(controller), 'kube-controller-manager');
}

test('every controller has a role of its own', async () => {
  await using cluster = await makeTestCluster();
  const common = { clock: systemClock, random: systemRandom, logger: silentLogger, events: noEvents };
  const controllers = controllersOf({ ...cluster, ...common });
  assert.ok(controllers.length > 20);
  const bound = new Set(
    bootstrapClusterRoleBindings.flatMap(({ roleRef, subjects = [] }) =>
      subjects
        .filter(({ kind }) => kind === 'ServiceAccount' && roleRef.name.startsWith('system:controller:'))
        .map(({ namespace = '', name }) => usernameOf(namespace, name)),
    ),
  );
  const without = controllers.map(({ name }) => name).filter((name) => !bound.has(userOfController(name).username));
  assert.deepEqual(without, []);
});

test('a controller is refused what its role does not hold', async () => {
  await using cluster = await makeTestCluster();
  const deployment = clientOf(cluster, 'deployment-controller');
  await deployment.list(deployments, {});
  await deployment.list(replicaSets, {});
  await assert.rejects(deployment.list(secrets, {}), isForbidden);
  await assert.rejects(deployment.create(pods, { metadata: { namespace: 'default', name: 'p' } }), isForbidden);
  await assert.rejects(deployment.delete(nodes, { name: 'n' }), isForbidden);
  const replicas = clientOf(cluster, 'replicaset-controller');
  await assert.rejects(replicas.list(deployments, {}), isForbidden);
  const scheduler = cluster.clientFor({ username: 'system:kube-scheduler', groups: ['system:authenticated'] }, 's');
  await scheduler.list(pods, {});
  await assert.rejects(scheduler.list(secrets, {}), isForbidden);
  await assert.rejects(scheduler.create(pods, { metadata: { namespace: 'default', name: 'p' } }), isForbidden);
});
