import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base';
import type { UserInfo } from '../../auth/user.ts';
import { clusterRoleBindings, flowSchemas, priorityLevels } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { makeTestCluster } from '../../test-cluster.ts';
import { requestInfo } from '../http/request-info.ts';
import { FlowControl } from './flow-control.ts';

const { signal } = new AbortController();
const authenticated = 'system:authenticated';
const tenant = (username: string): UserInfo => ({ username, groups: [authenticated] });
const account = (namespace: string, name: string): UserInfo => ({
  username: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, authenticated],
});

function digest(user: UserInfo, path: string, method = 'GET') {
  return { user, info: requestInfo(method, new URL(path, 'https://localhost')) };
}

test('requests fall under the schemas that upstream has', async () => {
  await using cluster = await makeTestCluster();
  const flow = new FlowControl({ informers: cluster.informers, clock: systemClock });
  await flow.synced();
  const schemaOf = (user: UserInfo, path: string, method?: string) =>
    flow.classify(digest(user, path, method)).schema.metadata?.name;
  const node = { username: 'system:node:n1', groups: ['system:nodes', authenticated] };
  const master = { username: 'admin', groups: ['system:masters', authenticated] };
  assert.deepEqual(
    [
      schemaOf(master, '/api/v1/pods'),
      schemaOf(tenant('a'), '/healthz'),
      schemaOf(tenant('a'), '/api/v1/pods'),
      schemaOf({ username: 'system:anonymous', groups: ['system:unauthenticated'] }, '/version'),
      schemaOf(node, '/api/v1/nodes/n1/status', 'PATCH'),
      schemaOf(node, '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1', 'PUT'),
      schemaOf(node, '/api/v1/namespaces/default/pods/p'),
      schemaOf(account('kube-system', 'x'), '/api/v1/pods'),
      schemaOf(account('default', 'x'), '/api/v1/pods'),
    ],
    [
      'exempt',
      'probes',
      'global-default',
      'global-default',
      'system-node-high',
      'system-node-high',
      'system-nodes',
      'kube-system-service-accounts',
      'service-accounts',
    ],
  );
});

test('a level lends what it does not use, and keeps what is its own', async () => {
  await using cluster = await makeTestCluster();
  const flow = new FlowControl({ informers: cluster.informers, clock: systemClock, seats: 49 });
  await flow.synced();
  const enter = async (user: UserInfo) => {
    const asked = digest(user, '/api/v1/namespaces/default/pods');
    return flow.enter(flow.classify(asked), asked, { seats: 1, signal });
  };
  const seats = new Map(
    flow.lines().flatMap((line) => {
      const match = /nominal_limit_seats\{priority_level="(.*)"\} (\d+)/.exec(line);
      return match ? [[match[1]!, Number(match[2])] as const] : [];
    }),
  );
  assert.deepEqual([seats.get('global-default'), seats.get('workload-low')], [4, 20]);
  // Beyond its own four it borrows what others can spare: 18 of workload-low, 4 of workload-high, 2 of system and of node-high.
  const inside = await Promise.all(Array.from({ length: 4 + 18 + 4 + 2 + 2 }, () => enter(tenant('a'))));
  const isOpen = enter(tenant('b'));
  const own = await Promise.all(Array.from({ length: 20 }, () => enter(account('default', 'x'))));
  assert.equal(own.length, 20, 'what was lent is there when its owner comes');
  for (const leave of [...inside, ...own]) leave();
  (await isOpen)();
});

test('a flood of one user does not stall another, and is told to come again', { timeout: 30_000 }, async () => {
  await using cluster = await makeTestCluster({ components: ['controllers'] });
  const { client } = cluster;
  const limited = (queueLengthLimit: number) => ({
    nominalConcurrencyShares: 1,
    lendablePercent: 0,
    borrowingLimitPercent: 0,
    limitResponse: { type: 'Queue', queuing: { queues: 16, handSize: 2, queueLengthLimit } },
  });
  await client.create(priorityLevels, {
    metadata: { name: 'tenants' },
    spec: { type: 'Limited', limited: limited(3) },
  });
  const resourceRules = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }];
  const subjects = ['flood', 'other'].map((name) => ({ kind: 'User', user: { name } }));
  const schema = await client.create(flowSchemas, {
    metadata: { name: 'tenants' },
    spec: {
      priorityLevelConfiguration: { name: 'tenants' },
      matchingPrecedence: 10,
      distinguisherMethod: { type: 'ByUser' },
      rules: [{ subjects, resourceRules }],
    },
  });
  await client.create(clusterRoleBindings, {
    metadata: { name: 'tenants' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'tenants' }],
  });
  const ask = (user: string) =>
    cluster.call('GET', '/api/v1/namespaces/default/pods', {
      headers: { 'impersonate-user': user, 'impersonate-group': 'tenants' },
    });
  const answers = Array.from({ length: 60 }, () => ask('flood'));
  const other = await ask('other');
  assert.equal(other.code, 200);
  assert.equal(other.headers['x-kubernetes-pf-flowschema-uid'], schema.metadata!.uid);
  const codes = (await Promise.all(answers)).map(({ code, headers }) => [code, headers['retry-after']] as const);
  assert.ok(codes.every(([code, after]) => code === 200 || (code === 429 && after === '1')));
});

test('who names a level that is not there falls under the next schema', async () => {
  await using cluster = await makeTestCluster({ components: ['controllers'] });
  await cluster.client.create(flowSchemas, {
    metadata: { name: 'lost' },
    spec: {
      priorityLevelConfiguration: { name: 'nowhere' },
      matchingPrecedence: 5,
      rules: [
        {
          subjects: [{ kind: 'Group', group: { name: authenticated } }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        },
      ],
    },
  });
  const flow = new FlowControl({ informers: cluster.informers, clock: systemClock });
  await flow.synced();
  assert.equal(flow.classify(digest(tenant('a'), '/version')).schema.metadata?.name, 'global-default');
  const copy = cluster.informers.of(flowSchemas);
  const isTold = () =>
    copy.get('lost')?.status?.conditions?.some(({ type, status }) => type === 'Dangling' && status === 'True') ?? false;
  await until(copy.onChange.bind(copy), isTold);
  await cluster.client.delete(flowSchemas, { name: 'catch-all' }).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
  await until(copy.onChange.bind(copy), () => copy.get('catch-all') !== undefined);
});

async function until(onChange: (handler: () => void) => () => void, holds: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = onChange(() => holds() && resolve());
  if (holds()) resolve();
  await promise.finally(stop);
}
