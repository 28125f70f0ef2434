import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterRoleBindings, roleBindings, roles } from '../../resources.ts';
import { makeTestCluster } from '../../test-cluster.ts';

interface AuditEvent {
  readonly requestURI: string;
  readonly responseStatus: { readonly code: number };
  readonly annotations?: { readonly [name: string]: string };
}

test('the audit log says what was decided, and why', { timeout: 20_000 }, async () => {
  const events: AuditEvent[] = [];
  const logs = {
    wants: () => true,
    write: (log: string, line: string) => void (log === 'audit' && events.push(JSON.parse(line) as AuditEvent)),
  };
  await using cluster = await makeTestCluster({ ports: { logs } });
  const { client } = cluster;
  const apiGroup = 'rbac.authorization.k8s.io';
  const metadata = { namespace: 'default', name: 'reader' };
  await client.create(roles, {
    metadata,
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
  });
  await client.create(roleBindings, {
    metadata,
    roleRef: { apiGroup, kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', name: 'sa', namespace: 'default' }],
  });
  await client.create(clusterRoleBindings, {
    metadata: { name: 'viewers' },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'system:kube-scheduler' },
    subjects: [{ apiGroup, kind: 'Group', name: 'lookers' }],
  });
  const ask = async (path: string, headers: { readonly [name: string]: string }, isAnonymous = false) => {
    await cluster.call('GET', path, { headers, isAnonymous });
    const { responseStatus, annotations } = events.findLast(({ requestURI }) => requestURI === path)!;
    const of = (name: string) => annotations?.[`authorization.k8s.io/${name}`];
    return [responseStatus.code, of('decision'), of('reason')];
  };
  const path = '/api/v1/namespaces/default/pods';

  assert.deepEqual(await ask(path, {}), [200, 'allow', '']);
  assert.deepEqual(await ask(`${path}?a`, { 'impersonate-user': 'system:serviceaccount:default:sa' }), [
    200,
    'allow',
    'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to ServiceAccount "sa/default"',
  ]);
  assert.deepEqual(await ask(`${path}?b`, { 'impersonate-user': 'eve', 'impersonate-group': 'lookers' }), [
    200,
    'allow',
    'RBAC: allowed by ClusterRoleBinding "viewers" of ClusterRole "system:kube-scheduler" to Group "lookers"',
  ]);
  assert.deepEqual(await ask(`${path}?c`, { 'impersonate-user': 'eve' }), [403, 'forbid', '']);
  // A token nobody knows leads to no decision.
  assert.deepEqual(await ask(`${path}?d`, { authorization: 'Bearer x' }, true), [401, undefined, undefined]);
});
