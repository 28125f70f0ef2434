/** Core resources as upstream's sig-node, sig-storage, sig-network, sig-auth and sig-instrumentation tests use them; no node is needed. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, test } from 'node:test';
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { Api, type Json, PATIENCE_MS, until, untilGone, Watch } from './api.ts';
import { makeNamespace } from './lifecycle.ts';
import { type ApiCluster, startApiCluster } from './in-process.ts';

let cluster: ApiCluster;
let api: Api;
let namespace: string;
let base: string;
before(async () => {
  cluster = await startApiCluster();
  ({ api } = cluster);
  namespace = await makeNamespace(api, 'core');
  base = `/api/v1/namespaces/${namespace}`;
});
after(async () => await cluster[Symbol.asyncDispose]());

const options = { timeout: PATIENCE_MS };
const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
const pod = (name: string, extra: Json = {}): Json => ({
  metadata: { name, labels: { type: 'Testing' } },
  spec: { containers: [{ name: 'token-test', image: 'busybox' }], ...extra },
});

test('[sig-node] ConfigMap should run through a ConfigMap lifecycle', options, async () => {
  await using watch = await Watch.on(api, `${base}/configmaps?labelSelector=test%3Dlifecycle`);
  await api.post(`${base}/configmaps`, {
    metadata: { name: 'lifecycle', labels: { test: 'lifecycle' } },
    data: { key: 'value' },
  });
  await watch.next('ADDED');
  const patched = await api.patch(`${base}/configmaps/lifecycle`, { data: { key: 'patched' } }, 'strategic');
  assert.equal(patched.data.key, 'patched');
  await watch.next('MODIFIED');
  assert.equal((await api.get('/api/v1/configmaps?labelSelector=test%3Dlifecycle')).items.length, 1);
  await api.delete(`${base}/configmaps?labelSelector=test%3Dlifecycle`);
  await watch.next('DELETED');
});

test('[sig-node] ConfigMap should update ConfigMap successfully', options, async () => {
  const made = await api.post(`${base}/configmaps`, { metadata: { name: 'update' }, data: { data: 'value' } });
  await api.put(`${base}/configmaps/update`, { ...made, data: { data: 'value', added: 'too' }, immutable: null });
  assert.deepEqual((await api.get(`${base}/configmaps/update`)).data, { data: 'value', added: 'too' });
});

for (const [kind, resource] of [
  ['ConfigMap', 'configmaps'],
  ['secret', 'secrets'],
] as const)
  test(
    kind === 'ConfigMap'
      ? '[sig-node] ConfigMap should fail to create ConfigMap with empty key'
      : '[sig-node] Secrets should fail to create secret due to empty secret key',
    options,
    async () => {
      const status = await api.refused(422, 'POST', `${base}/${resource}`, {
        metadata: { name: 'empty-key' },
        data: { '': 'dmFsdWU=' },
      });
      assert.equal(status.reason, 'Invalid');
      assert.match(status.details.causes[0].field, /^data\[/);
    },
  );

test('[sig-node] Secrets should patch a secret', options, async () => {
  await api.post(`${base}/secrets`, {
    metadata: { name: 'patched', labels: { testsecret: 'constant' } },
    data: { key: Buffer.from('value').toString('base64') },
    type: 'Opaque',
  });
  assert.ok((await api.get('/api/v1/secrets?labelSelector=testsecret%3Dconstant')).items.length > 0);
  const value = Buffer.from('value1').toString('base64');
  await api.patch(
    `${base}/secrets/patched`,
    { metadata: { labels: { testsecret: 'true' } }, data: { key: value } },
    'strategic',
  );
  assert.equal((await api.get(`${base}/secrets/patched`)).data.key, value);
  await api.delete(`${base}/secrets?labelSelector=testsecret%3Dtrue`);
  assert.equal((await api.get('/api/v1/secrets?labelSelector=testsecret%3Dtrue')).items.length, 0);
});

for (const [title, resource] of [
  ['ConfigMap', 'configmaps'],
  ['Secrets', 'secrets'],
] as const)
  test(`[sig-storage] ${title} should be immutable if \`immutable\` field is set`, options, async () => {
    const path = `${base}/${resource}/immutable`;
    const value = (text: string): string => Buffer.from(text).toString('base64');
    const made = await api.post(`${base}/${resource}`, { metadata: { name: 'immutable' }, data: { a: value('1') } });
    const sealed = await api.put(path, { ...made, immutable: true });
    await api.refused(422, 'PUT', path, { ...sealed, data: { a: value('2') } });
    await api.refused(422, 'PUT', path, { ...sealed, immutable: false });
    await api.put(path, { ...sealed, metadata: { ...sealed.metadata, labels: { still: 'allowed' } } });
    await api.delete(path);
  });

test('[sig-node] PodTemplates should delete a collection of pod templates', options, async () => {
  for (const n of [1, 2, 3])
    await api.post(`${base}/podtemplates`, {
      metadata: { name: `collection-${n}`, labels: { set: 'true' } },
      template: { spec: { containers: [{ name: 'a', image: 'a' }] } },
    });
  await api.delete(`${base}/podtemplates?labelSelector=set%3Dtrue`);
  assert.equal((await api.get(`${base}/podtemplates?labelSelector=set%3Dtrue`)).items.length, 0);
});

test('[sig-node] PodTemplates should replace a pod template', options, async () => {
  const made = await api.post(`${base}/podtemplates`, {
    metadata: { name: 'replace' },
    template: { spec: { containers: [{ name: 'a', image: 'a' }] } },
  });
  const next = await api.put(`${base}/podtemplates/replace`, {
    ...made,
    metadata: { ...made.metadata, annotations: { updated: 'true' } },
  });
  assert.equal(next.metadata.annotations.updated, 'true');
  assert.notEqual(next.metadata.resourceVersion, made.metadata.resourceVersion);
});

test('[sig-node] Pods should delete a collection of pods', options, async () => {
  for (const n of [1, 2, 3]) await api.post(`${base}/pods`, pod(`collection-${n}`));
  assert.equal((await api.get(`${base}/pods?labelSelector=type%3DTesting`)).items.length, 3);
  await api.delete(`${base}/pods?labelSelector=type%3DTesting`, { gracePeriodSeconds: 1 });
  for (const n of [1, 2, 3]) await untilGone(api, `${base}/pods/collection-${n}`);
});

test('[sig-node] Pods should patch a pod status', options, async () => {
  await api.post(`${base}/pods`, pod('status'));
  const patched = await api.patch(`${base}/pods/status/status`, {
    metadata: { annotations: { patchedstatus: 'true' } },
    status: { message: 'Patched by a test', reason: 'E2E' },
  });
  assert.deepEqual([patched.status.message, patched.status.reason], ['Patched by a test', 'E2E']);
  await api.delete(`${base}/pods/status`, { gracePeriodSeconds: 0 });
});

test(
  '[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits',
  options,
  async () => {
    const resources = { limits: { cpu: '100m', memory: '100Mi' }, requests: { cpu: '100m', memory: '100Mi' } };
    const made = await api.post(`${base}/pods`, pod('qos', { containers: [{ name: 'a', image: 'a', resources }] }));
    assert.equal(made.status.qosClass, 'Guaranteed');
    const burstable = { requests: { cpu: '10m' } };
    const other = await api.post(
      `${base}/pods`,
      pod('qos-2', { containers: [{ name: 'a', image: 'a', resources: burstable }] }),
    );
    assert.equal(other.status.qosClass, 'Burstable');
    assert.equal((await api.post(`${base}/pods`, pod('qos-3'))).status.qosClass, 'BestEffort');
    for (const name of ['qos', 'qos-2', 'qos-3']) await api.delete(`${base}/pods/${name}`);
  },
);

test('[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass', options, async () => {
  const status = await api.refused(403, 'POST', `${base}/pods`, pod('no-class', { runtimeClassName: 'nonexistent' }));
  assert.match(status.message, /RuntimeClass "nonexistent" not found/);
});

test('[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass', options, async () => {
  await api.post('/apis/node.k8s.io/v1/runtimeclasses', { metadata: { name: 'deleted' }, handler: 'handler' });
  await api.delete('/apis/node.k8s.io/v1/runtimeclasses/deleted');
  await api.refused(403, 'POST', `${base}/pods`, pod('deleted-class', { runtimeClassName: 'deleted' }));
});

test('[sig-node] Node Lifecycle should run through the lifecycle of a node', options, async () => {
  const made = await api.post('/api/v1/nodes', { metadata: { name: 'e2e-fake-node', labels: { fake: 'true' } } });
  assert.equal(made.metadata.name, 'e2e-fake-node');
  const patched = await api.patch(
    '/api/v1/nodes/e2e-fake-node',
    { metadata: { labels: { 'e2e-fake-node': 'patched' } } },
    'strategic',
  );
  assert.equal(patched.metadata.labels['e2e-fake-node'], 'patched');
  assert.equal((await api.get('/api/v1/nodes?labelSelector=fake%3Dtrue')).items.length, 1);
  const phase = await api.patch('/api/v1/nodes/e2e-fake-node/status', { status: { phase: 'Running' } });
  assert.equal(phase.status.phase, 'Running');
  await api.delete('/api/v1/nodes?labelSelector=fake%3Dtrue');
  await api.refused(404, 'GET', '/api/v1/nodes/e2e-fake-node');
});

test('[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API', options, async () => {
  const volumes = [{ name: 'inline', csi: { driver: 'e2e.example.com' } }];
  await api.post(`${base}/pods`, pod('inline', { volumes }));
  assert.equal((await api.get(`${base}/pods/inline`)).spec.volumes[0].csi.driver, 'e2e.example.com');
  await api.delete(`${base}/pods/inline`);
});

const volume = (name: string, claim?: string): Json => ({
  metadata: { name, labels: { 'e2e-pv': name } },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    storageClassName: `${name}-class`,
    persistentVolumeReclaimPolicy: 'Retain',
    csi: { driver: 'e2e.example.com', volumeHandle: name },
    ...(claim && { claimRef: { namespace, name: claim } }),
  },
});
const claim = (name: string, volumeName: string): Json => ({
  metadata: { name, labels: { 'e2e-pvc': name } },
  spec: {
    accessModes: ['ReadWriteOnce'],
    storageClassName: `${volumeName}-class`,
    resources: { requests: { storage: '1Gi' } },
    volumeName,
  },
});

test(
  '[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC',
  options,
  async () => {
    const volumes = '/api/v1/persistentvolumes';
    const claims = `${base}/persistentvolumeclaims`;
    await api.post(volumes, volume('lifecycle-pv'));
    await api.post(claims, claim('lifecycle-pvc', 'lifecycle-pv'));
    assert.equal((await api.get(`${volumes}?labelSelector=e2e-pv%3Dlifecycle-pv`)).items.length, 1);
    assert.equal((await api.get(`${claims}?labelSelector=e2e-pvc%3Dlifecycle-pvc`)).items.length, 1);
    await api.patch(`${volumes}/lifecycle-pv`, { metadata: { labels: { patched: 'true' } } }, 'strategic');
    await api.patch(`${claims}/lifecycle-pvc`, { metadata: { labels: { patched: 'true' } } }, 'strategic');
    const seen = await api.get(`${volumes}/lifecycle-pv`);
    await api.put(`${volumes}/lifecycle-pv`, {
      ...seen,
      metadata: { ...seen.metadata, labels: { ...seen.metadata.labels, updated: 'true' } },
    });
    await api.delete(`${claims}/lifecycle-pvc`);
    await untilGone(api, `${claims}/lifecycle-pvc`);
    await api.delete(`${volumes}/lifecycle-pv`);
    await untilGone(api, `${volumes}/lifecycle-pv`);
  },
);

test('[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status', options, async () => {
  const volumes = '/api/v1/persistentvolumes';
  const claims = `${base}/persistentvolumeclaims`;
  await api.post(volumes, volume('status-pv'));
  await api.post(claims, claim('status-pvc', 'status-pv'));
  const condition = { type: 'StatusPatched', status: 'True', reason: 'E2E', message: 'Set by a test' };
  const has = ({ status }: Json): boolean => status.conditions?.some(({ type }: Json) => type === 'StatusPatched');
  assert.ok(has(await api.patch(`${claims}/status-pvc/status`, { status: { conditions: [condition] } })));
  const after = await api.patch(`${volumes}/status-pv/status`, { status: { message: 'StatusPatched', reason: 'E2E' } });
  assert.equal(after.status.message, 'StatusPatched');
  await api.delete(`${claims}/status-pvc`);
  await api.delete(`${volumes}/status-pv`);
});

test('[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection', options, async () => {
  const ranges = `${base}/limitranges`;
  await api.post(ranges, {
    metadata: { name: 'range', labels: { range: 'true' } },
    spec: { limits: [{ type: 'Container', max: { cpu: '500m' }, default: { cpu: '100m' } }] },
  });
  assert.equal((await api.get('/api/v1/limitranges?labelSelector=range%3Dtrue')).items.length, 1);
  await api.patch(
    `${ranges}/range`,
    { spec: { limits: [{ type: 'Container', max: { cpu: '600m' }, default: { cpu: '100m' } }] } },
    'strategic',
  );
  await api.delete(`${ranges}?labelSelector=range%3Dtrue`);
  assert.equal((await api.get('/api/v1/limitranges?labelSelector=range%3Dtrue')).items.length, 0);
});

const service = (name: string, extra: Json = {}): Json => ({
  metadata: { name, labels: { e2e: name } },
  spec: { ports: [{ name: 'http', port: 80, targetPort: 80 }], ...extra },
});

test('[sig-network] Services should find a service from listing all namespaces', options, async () => {
  const all = await api.get('/api/v1/services');
  assert.ok(all.items.some(({ metadata }: Json) => metadata.name === 'kubernetes' && metadata.namespace === 'default'));
});

test('[sig-network] Services should delete a collection of services', options, async () => {
  const label = { metadata: { labels: { collection: 'true' } } };
  for (const n of [1, 2, 3]) {
    await api.post(`${base}/services`, service(`collection-${n}`));
    await api.patch(`${base}/services/collection-${n}`, label);
  }
  await api.delete(`${base}/services?labelSelector=collection%3Dtrue`);
  assert.equal((await api.get(`${base}/services?labelSelector=collection%3Dtrue`)).items.length, 0);
});

test('[sig-network] Services should complete a service status lifecycle', options, async () => {
  await using watch = await Watch.on(api, `${base}/services?labelSelector=e2e%3Dstatus`);
  await api.post(`${base}/services`, service('status', { type: 'LoadBalancer' }));
  await watch.next('ADDED');
  const patched = await api.patch(`${base}/services/status/status`, {
    metadata: { annotations: { patchedstatus: 'true' } },
    status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
  });
  assert.equal(patched.status.loadBalancer.ingress[0].ip, '203.0.113.1');
  await watch.next('MODIFIED', ({ status }) => status.loadBalancer.ingress?.[0].ip === '203.0.113.1');
  const read = await api.get(`${base}/services/status`);
  const condition = {
    type: 'StatusUpdate',
    status: 'True',
    reason: 'E2E',
    message: 'Set by a test',
    lastTransitionTime: now,
  };
  const updated = await api.put(`${base}/services/status/status`, {
    ...read,
    status: { ...read.status, conditions: [condition] },
  });
  assert.equal(updated.status.conditions[0].type, 'StatusUpdate');
  await api.patch(`${base}/services/status`, { metadata: { labels: { 'test-service': 'patched' } } }, 'strategic');
  await api.delete(`${base}/services/status`);
  await watch.next('DELETED');
});

test('[sig-network] API Server should provide secure master service', options, async () => {
  const { spec } = await api.get('/api/v1/namespaces/default/services/kubernetes');
  assert.ok(spec.ports.some(({ port, name }: Json) => port === 443 && name === 'https'));
});

test('[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server', options, async () => {
  const endpoints = await api.get('/api/v1/namespaces/default/endpoints/kubernetes');
  assert.ok(endpoints.subsets[0].addresses.length > 0);
  const slices = await api.get(
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Dkubernetes',
  );
  assert.ok(slices.items[0].endpoints.length > 0);
});

for (const [title, path] of [
  [
    '[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods',
    'slices',
  ],
  [
    '[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods',
    'endpoints',
  ],
] as const)
  test(title, options, async () => {
    const name = `no-pods-${path}`;
    const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=kubernetes.io/service-name%3D${name}`;
    await using watch = await Watch.on(
      api,
      path === 'slices' ? slices : `${base}/endpoints?fieldSelector=metadata.name%3D${name}`,
    );
    await api.post(`${base}/services`, service(name, { selector: { does: 'not-match-anything' } }));
    const made = await watch.next('ADDED');
    assert.equal((path === 'slices' ? made.endpoints : made.subsets)?.length ?? 0, 0);
    await api.delete(`${base}/services/${name}`);
    await watch.next('DELETED');
  });

test(
  '[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete',
  options,
  async () => {
    const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=kubernetes.io/service-name%3Dmirrored`;
    await using watch = await Watch.on(api, slices);
    await api.post(`${base}/services`, service('mirrored'));
    await api.post(`${base}/endpoints`, {
      metadata: { name: 'mirrored' },
      subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ name: 'http', port: 80 }] }],
    });
    const made = await watch.next('ADDED');
    assert.deepEqual(made.endpoints[0].addresses, ['10.1.2.3']);
    assert.equal(
      made.metadata.labels['endpointslice.kubernetes.io/managed-by'],
      'endpointslicemirroring-controller.k8s.io',
    );
    await api.patch(`${base}/endpoints/mirrored`, {
      subsets: [{ addresses: [{ ip: '10.2.3.4' }], ports: [{ name: 'http', port: 80 }] }],
    });
    await watch.next('MODIFIED', ({ endpoints }) => endpoints[0]?.addresses[0] === '10.2.3.4');
    await api.delete(`${base}/endpoints/mirrored`);
    await watch.next('DELETED');
  },
);

test('[sig-network] Endpoints should test the lifecycle of an Endpoint', options, async () => {
  await using watch = await Watch.on(api, `${base}/endpoints?labelSelector=test-endpoint-static%3Dtrue`);
  await api.post(`${base}/endpoints`, {
    metadata: { name: 'testservice', labels: { 'test-endpoint-static': 'true' } },
    subsets: [{ addresses: [{ ip: '10.0.0.24' }], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }],
  });
  await watch.next('ADDED');
  assert.ok((await api.get('/api/v1/endpoints?labelSelector=test-endpoint-static%3Dtrue')).items.length > 0);
  const read = await api.get(`${base}/endpoints/testservice`);
  await api.put(`${base}/endpoints/testservice`, {
    ...read,
    metadata: { ...read.metadata, labels: { ...read.metadata.labels, updated: 'true' } },
  });
  await watch.next('MODIFIED', ({ metadata }) => metadata.labels.updated === 'true');
  await api.patch(
    `${base}/endpoints/testservice`,
    { subsets: [{ addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'http-test', port: 8080 }] }] },
    'strategic',
  );
  await watch.next('MODIFIED', ({ subsets }) => subsets[0].addresses[0].ip === '10.0.0.25');
  await api.delete(`${base}/endpoints?labelSelector=test-endpoint-static%3Dtrue`);
  await watch.next('DELETED');
});

test('[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations', options, async () => {
  const addresses = '/apis/networking.k8s.io/v1/ipaddresses';
  const path = `${addresses}/192.168.1.5`;
  await api.post(addresses, {
    metadata: { name: '192.168.1.5', labels: { 'ip.test': 'true' } },
    spec: { parentRef: { group: '', resource: 'services', namespace, name: 'status' } },
  });
  assert.equal((await api.get(`${addresses}?labelSelector=ip.test%3Dtrue`)).items.length, 1);
  await api.patch(path, { metadata: { annotations: { patched: 'true' } } });
  await api.refused(422, 'POST', addresses, {
    metadata: { name: 'not-an-address' },
    spec: { parentRef: { resource: 'services', name: 'x' } },
  });
  await api.delete(path);
  await untilGone(api, path);
});

test('[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount', options, async () => {
  await using watch = await Watch.on(api, `${base}/serviceaccounts?labelSelector=test%3Dstatic`);
  await api.post(`${base}/serviceaccounts`, { metadata: { name: 'lifecycle', labels: { test: 'static' } } });
  await watch.next('ADDED');
  await api.patch(`${base}/serviceaccounts/lifecycle`, { automountServiceAccountToken: false }, 'strategic');
  await watch.next('MODIFIED', (account) => account.automountServiceAccountToken === false);
  assert.equal((await api.get('/api/v1/serviceaccounts?labelSelector=test%3Dstatic')).items.length, 1);
  await api.delete(`${base}/serviceaccounts?labelSelector=test%3Dstatic`);
  await watch.next('DELETED');
});

test('[sig-auth] ServiceAccounts should update a ServiceAccount', options, async () => {
  const made = await api.post(`${base}/serviceaccounts`, {
    metadata: { name: 'updated' },
    automountServiceAccountToken: false,
  });
  await api.put(`${base}/serviceaccounts/updated`, { ...made, automountServiceAccountToken: true });
  assert.equal((await api.get(`${base}/serviceaccounts/updated`)).automountServiceAccountToken, true);
});

test('[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace', options, async () => {
  const path = `${base}/configmaps/kube-root-ca.crt`;
  const published = await until(api, path, () => true);
  assert.ok(new X509Certificate(published.data['ca.crt']).ca);
  await api.delete(path);
  await until(api, path, ({ data }) => data['ca.crt'] === published.data['ca.crt']);
  await api.patch(path, { data: { 'ca.crt': 'spoilt' } });
  await until(api, path, ({ data }) => data['ca.crt'] === published.data['ca.crt']);
});

test(
  '[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview',
  options,
  async () => {
    const { status } = await api.post(`${base}/serviceaccounts/default/token`, { spec: { expirationSeconds: 3600 } });
    const review = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: status.token } });
    assert.equal(review.status.authenticated, true);
    assert.equal(review.status.user.username, `system:serviceaccount:${namespace}:default`);
    assert.ok(review.status.user.groups.includes(`system:serviceaccounts:${namespace}`));
    const forged = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', {
      spec: { token: `${status.token.slice(0, -4)}AAAA` },
    });
    assert.notEqual(forged.status.authenticated, true);
    using asAccount = new Api({ server: api.access.server, ca: api.access.ca, token: status.token });
    assert.equal((await asAccount.refused(403, 'GET', `${base}/secrets`)).reason, 'Forbidden');
  },
);

test('[sig-auth] SubjectReview should support SubjectReview API operations', options, async () => {
  const user = `system:serviceaccount:${namespace}:default`;
  const attributes = { namespace, verb: 'list', resource: 'configmaps', version: 'v1' };
  const groups = ['system:authenticated', 'system:serviceaccounts'];
  const review = await api.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    spec: { user, groups, resourceAttributes: attributes },
  });
  assert.equal(review.status.allowed, false);
  const local = await api.post(`/apis/authorization.k8s.io/v1/namespaces/${namespace}/localsubjectaccessreviews`, {
    metadata: { namespace },
    spec: { user, groups, resourceAttributes: attributes },
  });
  assert.equal(local.status.allowed, false);
  await api.post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'review' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
  });
  const now = await api.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    spec: { user, groups, resourceAttributes: attributes },
  });
  assert.equal(now.status.allowed, true);
});

test('[sig-instrumentation] Events should manage the lifecycle of an event', options, async () => {
  const event = {
    metadata: { name: 'event-test', labels: { testevent: 'constant' } },
    message: 'This is a test event',
    reason: 'Test',
    type: 'Normal',
    count: 1,
    involvedObject: { kind: 'Pod', name: 'p', namespace },
  };
  await api.post(`${base}/events`, event);
  assert.equal((await api.get('/api/v1/events?labelSelector=testevent%3Dconstant')).items.length, 1);
  await api.patch(`${base}/events/event-test`, { message: 'patched' }, 'strategic');
  const read = await api.get(`${base}/events/event-test`);
  assert.equal(read.message, 'patched');
  const series = { count: 100, lastObservedTime: '2026-03-01T12:00:00.000001Z' };
  const updated = await api.put(`${base}/events/event-test`, { ...read, series });
  assert.deepEqual(updated.series, series);
  await api.delete(`${base}/events/event-test`);
  assert.equal((await api.get('/api/v1/events?labelSelector=testevent%3Dconstant')).items.length, 0);
});

const newEvent = (name: string, label: string): Json => ({
  metadata: { name, labels: { [label]: 'true' } },
  regarding: { kind: 'Pod', namespace, name: 'p' },
  eventTime: '2026-03-01T12:00:00.000001Z',
  note: 'This is a note',
  type: 'Normal',
  reason: 'Test',
  action: 'Do',
  reportingController: 'test-controller',
  reportingInstance: 'test-node',
});

test(
  '[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed',
  options,
  async () => {
    const events = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
    await api.post(events, newEvent('new-api', 'new-api'));
    assert.equal((await api.get(`/apis/events.k8s.io/v1/events?labelSelector=new-api%3Dtrue`)).items.length, 1);
    const old = await api.get(`${base}/events/new-api`);
    assert.deepEqual(
      [old.involvedObject.name, old.message, old.reportingComponent],
      ['p', 'This is a note', 'test-controller'],
    );
    const patched = await api.patch(
      `${events}/new-api`,
      { series: { count: 2, lastObservedTime: '2026-03-01T12:00:05.000001Z' } },
      'strategic',
    );
    assert.equal(patched.series.count, 2);
    await api.put(`${events}/new-api`, {
      ...patched,
      series: { count: 100, lastObservedTime: '2026-03-01T12:00:06.000001Z' },
    });
    await api.delete(`${events}/new-api`);
    await api.refused(404, 'GET', `${events}/new-api`);
  },
);

for (const [title, collection] of [
  ['[sig-instrumentation] Events API should delete a collection of events', 'new'],
  ['[sig-instrumentation] Events should delete a collection of events', 'old'],
] as const)
  test(title, options, async () => {
    const events = collection === 'new' ? `/apis/events.k8s.io/v1/namespaces/${namespace}/events` : `${base}/events`;
    for (const n of [1, 2, 3])
      await api.post(
        events,
        collection === 'new'
          ? newEvent(`set-${n}`, 'new-set')
          : {
              metadata: { name: `old-set-${n}`, labels: { 'old-set': 'true' } },
              involvedObject: { kind: 'Pod', name: 'p', namespace },
              message: 'm',
              reason: 'Test',
              type: 'Normal',
            },
      );
    const selector = `labelSelector=${collection}-set%3Dtrue`;
    assert.equal((await api.get(`${events}?${selector}`)).items.length, 3);
    await api.delete(`${events}?${selector}`);
    assert.equal((await api.get(`${events}?${selector}`)).items.length, 0);
  });

test(
  '[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets',
  options,
  async () => {
    const budgets = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
    for (const n of [1, 2, 3])
      await api.post(budgets, {
        metadata: { name: `set-${n}`, labels: { set: 'pdb' } },
        spec: { minAvailable: 1, selector: { matchLabels: { a: 'b' } } },
      });
    assert.equal((await api.get('/apis/policy/v1/poddisruptionbudgets?labelSelector=set%3Dpdb')).items.length, 3);
    await api.delete(`${budgets}?labelSelector=set%3Dpdb`);
    assert.equal((await api.get('/apis/policy/v1/poddisruptionbudgets?labelSelector=set%3Dpdb')).items.length, 0);
  },
);

test('[sig-apps] DisruptionController should create a PodDisruptionBudget', options, async () => {
  const budgets = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
  const made = await api.post(budgets, {
    metadata: { name: 'one' },
    spec: { minAvailable: '1%', selector: { matchLabels: { foo: 'bar' } } },
  });
  await until(api, `${budgets}/one`, ({ status }) => status?.observedGeneration === made.metadata.generation);
  const patched = await api.patch(`${budgets}/one`, { spec: { minAvailable: '3%' } });
  assert.equal(patched.spec.minAvailable, '3%');
  await until(api, `${budgets}/one`, ({ status }) => status?.observedGeneration === patched.metadata.generation);
  await api.delete(`${budgets}/one`);
});

test('[sig-auth] Certificates API should support CSR API operations', options, async () => {
  const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=e2e',
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  const made = await api.post(requests, {
    metadata: { generateName: 'e2e-example-csr-' },
    spec: {
      request: Buffer.from(csr.toString('pem')).toString('base64'),
      signerName: 'example.com/e2e',
      expirationSeconds: 3600,
      usages: ['digital signature', 'key encipherment', 'server auth'],
    },
  });
  const path = `${requests}/${made.metadata.name}`;
  assert.ok(made.spec.username);
  const condition = { type: 'Approved', status: 'True', reason: 'E2E', message: 'Set by a test' };
  const approved = await api.put(`${path}/approval`, { ...made, status: { conditions: [condition] } });
  assert.equal(approved.status.conditions[0].type, 'Approved');
  const signed = await api.patch(`${path}/status`, {
    metadata: { annotations: { patchedstatus: 'true' } },
    status: { certificate: Buffer.from(api.access.ca).toString('base64') },
  });
  assert.ok(signed.status.certificate.length > 0);
  await api.delete(path);
  await api.refused(404, 'GET', path);
});
