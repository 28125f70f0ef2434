import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryClient } from '../client/memory-client.ts';
import { MemoryInformers } from '../client/memory-informers.ts';
import { clusterRoles, persistentVolumeClaims, pods, roleBindings, roles } from '../resources.ts';
import type { ClusterRole, PersistentVolumeClaim, Pod, Role, RoleBinding } from '../types.ts';
import { createAuthorization } from './authorization.ts';
import { impersonate } from './impersonation.ts';
import { bootstrapAccess } from './rbac/bootstrap.ts';
import { rbacEscalation } from './rbac/escalation.ts';
import { reviewAccess, reviewLocalAccess, reviewRules, reviewSelf, reviewSelfAccess } from './reviews.ts';
import type { AdmissionRequest, Attributes, UserInfo } from './user.ts';

const signal = new AbortController().signal;

async function setUp() {
  const client = new MemoryClient();
  await bootstrapAccess(client, signal);
  const authorization = createAuthorization({ informers: new MemoryInformers(client), authorizers: [] });
  return { client, authorization };
}

const userOf = (username: string, ...groups: string[]): UserInfo => ({
  username,
  groups: [...groups, 'system:authenticated'],
});
const alice = userOf('alice');

/** `get pods/log default/p`, `list deployments.apps default`, `get nodes`. */
function ask(user: UserInfo, text: string): Attributes {
  const [verb, what, where = ''] = text.split(' ') as [string, string, string?];
  const [qualified, subresource] = what.split('/') as [string, string?];
  const [resource, ...group] = qualified.split('.') as [string, ...string[]];
  const [namespace, name] = where.split('/') as [string, string?];
  return {
    kind: 'resource',
    user,
    verb,
    group: group.join('.'),
    version: 'v1',
    resource,
    ...(subresource && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  };
}

function roleNamed(name: string, rules: Role['rules']): Role {
  return { metadata: { name, namespace: 'default' }, ...(rules && { rules }) };
}

function bindingOf(kind: 'Role' | 'ClusterRole', name: string, subject: object): RoleBinding {
  return {
    metadata: { name: `b-${name}`, namespace: 'default' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
    subjects: [subject as NonNullable<RoleBinding['subjects']>[number]],
  };
}

test('refusals say who, what and where', async () => {
  const { authorization } = await setUp();
  const refusal = (attributes: Attributes) =>
    authorization.require(attributes).then(
      () => 'allowed',
      (error: Error) => error.message,
    );
  assert.equal(
    await refusal(ask(alice, 'list pods default')),
    'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
  );
  assert.equal(
    await refusal(ask(alice, 'get deployments.apps/scale default/web')),
    'deployments.apps "web" is forbidden: User "alice" cannot get resource "deployments/scale" in API group "apps" in the namespace "default"',
  );
  assert.equal(
    await refusal(ask(alice, 'list nodes')),
    'nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
  );
  const anonymous = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
  assert.equal(
    await refusal({ kind: 'path', user: anonymous, verb: 'get', path: '/' }),
    'forbidden: User "system:anonymous" cannot get path "/"',
  );
  assert.equal(await refusal({ kind: 'path', user: anonymous, verb: 'get', path: '/livez' }), 'allowed');
  assert.equal(await refusal({ kind: 'path', user: alice, verb: 'get', path: '/apis/apps/v1' }), 'allowed');
  assert.equal(await refusal(ask(userOf('root', 'system:masters'), 'delete nodes /n1')), 'allowed');
});

test('a role gives its rules in its namespace, as soon as it is written and as long as it stands', async () => {
  const { client, authorization } = await setUp();
  const may = async (user: UserInfo, text: string) => (await authorization.authorize(ask(user, text))).isAllowed;
  const reader = userOf('system:serviceaccount:default:ro', 'system:serviceaccounts');
  const rules = [
    { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] },
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['page'], verbs: ['get', 'update'] },
    { apiGroups: ['apps'], resources: ['*/scale'], verbs: ['*'] },
  ];
  await client.create(roleBindings, bindingOf('Role', 'r', { kind: 'ServiceAccount', name: 'ro' }));
  assert.equal(
    (await authorization.authorize(ask(reader, 'get pods default/p'))).reason,
    'RBAC: role.rbac.authorization.k8s.io "r" not found',
  );
  await client.create(roles, roleNamed('r', rules));
  assert.equal(await may(reader, 'get pods default/p'), true);
  assert.equal(await may(reader, 'get pods/log default/p'), true);
  assert.equal(await may(reader, 'get pods/exec default/p'), false);
  assert.equal(await may(reader, 'delete pods default/p'), false);
  assert.equal(await may(reader, 'get pods other/p'), false);
  assert.equal(await may(reader, 'list pods'), false);
  assert.equal(await may(reader, 'get configmaps default/page'), true);
  assert.equal(await may(reader, 'get configmaps default/else'), false);
  assert.equal(await may(reader, 'list configmaps default'), false);
  assert.equal(await may(reader, 'patch deployments.apps/scale default/web'), true);
  assert.equal(await may(reader, 'patch deployments.apps default/web'), false);
  assert.equal(await may(alice, 'get pods default/p'), false);
  await client.delete(roleBindings, { namespace: 'default', name: 'b-r' });
  assert.equal(await may(reader, 'get pods default/p'), false);
});

test('reviews answer what the authoriser would', async () => {
  const { client, authorization } = await setUp();
  await client.create(roles, roleNamed('r', [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]));
  await client.create(roleBindings, bindingOf('Role', 'r', { kind: 'User', name: 'alice' }));
  const resourceAttributes = { verb: 'get', resource: 'pods', namespace: 'default' };
  const own = await reviewSelfAccess(authorization, { spec: { resourceAttributes } }, alice);
  assert.deepEqual(own.status, {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "b-r/default" of Role "r" to User "alice"',
  });
  const others = await reviewAccess(authorization, { spec: { user: 'bob', resourceAttributes } });
  assert.deepEqual(others.status, { allowed: false });
  await assert.rejects(reviewAccess(authorization, { spec: { resourceAttributes } }), {
    message:
      'SubjectAccessReview.authorization.k8s.io "" is invalid: spec.user: Invalid value: "": at least one of user or group must be specified',
  });
  await assert.rejects(reviewSelfAccess(authorization, { spec: {} }, alice), /exactly one of/);
  await assert.rejects(
    reviewLocalAccess(authorization, { spec: { user: 'alice', resourceAttributes } }, 'other'),
    /must match metadata.namespace/,
  );
  const { status } = await reviewRules(authorization, { spec: { namespace: 'default' } }, alice);
  assert.ok(status!.resourceRules.some(({ resources }) => resources?.includes('pods')));
  assert.ok(status!.nonResourceRules.some(({ nonResourceURLs }) => nonResourceURLs?.includes('/api/*')));
  assert.equal(status!.incomplete, false);
  assert.deepEqual(reviewSelf({}, alice).status, { userInfo: { username: 'alice', groups: ['system:authenticated'] } });
});

test('nobody grants what they do not hold', async () => {
  const { client, authorization } = await setUp();
  const escalation = rbacEscalation({ rbac: authorization.rbac, authorizer: authorization });
  const write = async (user: UserInfo, object: Role | RoleBinding, oldObject?: Role) => {
    const type = ('roleRef' in object ? roleBindings : roles) as AdmissionRequest['type'];
    await escalation.validate!({
      operation: oldObject ? 'UPDATE' : 'CREATE',
      type,
      namespace: 'default',
      name: object.metadata!.name!,
      object,
      oldObject,
      user,
      isDryRun: false,
    });
  };
  await client.create(
    roles,
    roleNamed('rbac', [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['*'], verbs: ['create', 'update'] }]),
  );
  await client.create(roleBindings, bindingOf('Role', 'rbac', { kind: 'User', name: 'alice' }));
  await client.create(roles, roleNamed('pods', [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }]));
  const wanted = roleNamed('r', [{ apiGroups: [''], resources: ['pods', 'secrets'], verbs: ['get', 'list'] }]);
  await assert.rejects(write(alice, wanted), {
    code: 403,
    message:
      'roles.rbac.authorization.k8s.io "r" is forbidden: user "alice" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
      '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}\n' +
      '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
  });
  await write(alice, wanted, wanted);
  await assert.rejects(write(alice, bindingOf('Role', 'pods', { kind: 'User', name: 'bob' })), /not currently held/);
  await assert.rejects(write(alice, bindingOf('ClusterRole', 'absent', { kind: 'User', name: 'bob' })), {
    message:
      'rolebindings.rbac.authorization.k8s.io "b-absent" is forbidden: clusterrole.rbac.authorization.k8s.io "absent" not found',
  });
  await client.create(roleBindings, bindingOf('Role', 'pods', { kind: 'User', name: 'alice' }));
  await write(alice, bindingOf('Role', 'pods', { kind: 'User', name: 'bob' }));
  const named = [{ apiGroups: [''], resources: ['pods'], resourceNames: ['p'], verbs: ['get'] }];
  await write(alice, roleNamed('less', named));
  await write(userOf('root', 'system:masters'), wanted);
  await client.update(roles, roleNamed('rbac', [{ apiGroups: ['*'], resources: ['*'], verbs: ['escalate', 'bind'] }]));
  await write(alice, wanted);
  await write(alice, bindingOf('ClusterRole', 'cluster-admin', { kind: 'User', name: 'alice' }));
});

test('a node reads only what its pods refer to', async () => {
  const { client, authorization } = await setUp();
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'default' },
    spec: {
      nodeName: 'n1',
      serviceAccountName: 'web',
      containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'env' } }] }],
      volumes: [
        { name: 'a', secret: { secretName: 'key' } },
        { name: 'b', projected: { sources: [{ configMap: { name: 'ca' } }] } },
        { name: 'c', persistentVolumeClaim: { claimName: 'data' } },
      ],
    },
  };
  await client.create(pods, pod);
  const claim: PersistentVolumeClaim = {
    metadata: { name: 'data', namespace: 'default' },
    spec: { volumeName: 'pv1' },
  };
  await client.create(persistentVolumeClaims, claim);
  const n1 = userOf('system:node:n1', 'system:nodes');
  const n2 = userOf('system:node:n2', 'system:nodes');
  const may = async (user: UserInfo, text: string) => (await authorization.authorize(ask(user, text))).isAllowed;
  for (const text of [
    'get secrets default/key',
    'watch configmaps default/env',
    'get configmaps default/ca',
    'get persistentvolumeclaims default/data',
    'get persistentvolumes /pv1',
    'create serviceaccounts/token default/web',
  ]) {
    assert.equal(await may(n1, text), true, text);
    assert.equal(await may(n2, text), false, `not another node: ${text}`);
  }
  for (const text of [
    'get secrets default/other',
    'get secrets kube-system/key',
    'list secrets default',
    'delete secrets default/key',
    'create serviceaccounts/token default/default',
    'get leases.coordination.k8s.io kube-node-lease/n2',
    'get leases.coordination.k8s.io default/n1',
    'create roles.rbac.authorization.k8s.io default/r',
  ])
    assert.equal(await may(n1, text), false, text);
  for (const text of [
    'update leases.coordination.k8s.io kube-node-lease/n1',
    'create leases.coordination.k8s.io kube-node-lease',
    'patch nodes/status /n1',
    'list services',
    'watch endpointslices.discovery.k8s.io',
  ])
    assert.equal(await may(n1, text), true, text);
  assert.equal(
    (await authorization.authorize(ask(n2, 'get secrets default/key'))).reason,
    "no relationship found between node 'n2' and this object",
  );
});

test('impersonation needs a right for every part of the other', async () => {
  const { client, authorization } = await setUp();
  const as = (headers: { [name: string]: string[] }, user = alice) => impersonate(authorization, user, headers);
  assert.equal(await as({}), alice);
  await assert.rejects(as({ 'impersonate-user': ['bob'] }), {
    message:
      'users "bob" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope',
  });
  const root = userOf('root', 'system:masters');
  assert.deepEqual(await as({ 'impersonate-user': ['bob'], 'impersonate-group': ['dev', 'ops'] }, root), {
    username: 'bob',
    groups: ['dev', 'ops', 'system:authenticated'],
  });
  assert.deepEqual((await as({ 'impersonate-user': ['system:serviceaccount:ns:sa'] }, root)).groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:ns',
    'system:authenticated',
  ]);
  assert.deepEqual((await as({ 'impersonate-user': ['b'], 'impersonate-extra-a%2fb': ['x'] }, root)).extra, {
    'a/b': ['x'],
  });
  const sent = (text: string) => Buffer.from(text).toString('latin1');
  const named = { 'impersonate-user': [sent('Zoë')], 'impersonate-group': [sent('日本')] };
  assert.deepEqual(
    await as(
      {
        ...named,
        'impersonate-extra-%c3%a9': [sent('ü')],
        'impersonate-extra-%61': ['1'],
        'impersonate-extra-a': ['2'],
      },
      root,
    ),
    { username: 'Zoë', groups: ['日本', 'system:authenticated'], extra: { é: ['ü'], a: ['1', '2'] } },
  );
  await assert.rejects(as({ 'impersonate-user': ['\xff'] }, root), {
    message: 'the header impersonate-user is not UTF-8',
  });
  assert.deepEqual(await as({ 'impersonate-user': ['system:anonymous'] }, root), {
    username: 'system:anonymous',
    groups: ['system:unauthenticated'],
  });
  await assert.rejects(as({ 'impersonate-group': ['dev'] }, root), /without impersonating a user/);
  await client.create(roleBindings, bindingOf('ClusterRole', 'edit', { kind: 'User', name: 'alice' }));
  const edit = await client.get<ClusterRole>(clusterRoles, { name: 'system:aggregate-to-edit' });
  await client.patch(clusterRoles, { name: 'edit' }, { kind: 'merge', body: { rules: edit.rules } });
  const sa = await as({ 'impersonate-user': ['system:serviceaccount:default:web'] });
  assert.equal(sa.username, 'system:serviceaccount:default:web');
});

test('defaults that were taken away come back, what was added stays, and opting out is respected', async () => {
  const { client } = await setUp();
  const update = (name: string, change: Partial<ClusterRole>) =>
    client.patch(clusterRoles, { name }, { kind: 'merge', body: change });
  const added = { apiGroups: ['x'], resources: ['y'], verbs: ['z'] };
  await update('system:basic-user', { rules: [added] });
  await update('system:discovery', {
    rules: [],
    metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
  });
  await bootstrapAccess(client, signal);
  assert.equal((await client.get(clusterRoles, { name: 'system:basic-user' })).rules?.length, 3);
  assert.deepEqual((await client.get(clusterRoles, { name: 'system:discovery' })).rules, []);
});
