/** Admission and conversion by webhooks that run in pods behind a service, as upstream's AdmissionWebhook tests use them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { type Api, type Json, until, Watch } from './api.ts';
import { makeNamespace } from './lifecycle.ts';
import { imageWithNode, type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
let api: Api;
let caBundle: string;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'webhooks');
    api = pods.api;
    await api.patch(`/api/v1/namespaces/${pods.namespace}`, { metadata: { labels: { hooked: 'yes' } } });
    await startServer(await imageWithNode(cluster.dabba));
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });
const options = { timeout: 60_000 };

/** The server of `webhook-server.cjs` in a pod, behind the service `webhook`, with a certificate for the service's name. */
async function startServer(image: string): Promise<void> {
  const [key, cert] = ['tls.key', 'tls.crt'].map((name) => join(cluster.dabba.work, name));
  const names = `subjectAltName=DNS:webhook.${pods.namespace}.svc`;
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=webhook'];
  execFileSync('openssl', [...request, '-addext', names, '-keyout', key!, '-out', cert!], { stdio: 'pipe' });
  caBundle = readFileSync(cert!).toString('base64');
  await pods.create('secrets', {
    metadata: { name: 'tls' },
    stringData: { 'tls.key': readFileSync(key!, 'utf8'), 'tls.crt': readFileSync(cert!, 'utf8') },
  });
  const code = readFileSync(join(import.meta.dirname, 'webhook-server.cjs'), 'utf8');
  await pods.create('configmaps', { metadata: { name: 'code' }, data: { 'server.cjs': code } });
  const container = {
    image,
    command: ['node', '/code/server.cjs'],
    readinessProbe: { httpGet: { scheme: 'HTTPS', port: 8443, path: '/ready' }, periodSeconds: 1 },
    volumeMounts: [
      { name: 'tls', mountPath: '/tls' },
      { name: 'code', mountPath: '/code' },
    ],
  };
  const volumes = [
    { name: 'tls', secret: { secretName: 'tls' } },
    { name: 'code', configMap: { name: 'code' } },
  ];
  await pods.create('services', {
    metadata: { name: 'webhook' },
    spec: { selector: { app: 'webhook' }, ports: [{ port: 443, targetPort: 8443 }] },
  });
  await using slices = await Watch.on(api, `/apis/discovery.k8s.io/v1/namespaces/${pods.namespace}/endpointslices`);
  await pods.ready(
    pods.pod('', container, { volumes, restartPolicy: 'Always' }, { name: 'webhook', labels: { app: 'webhook' } }),
  );
  // Webhooks are called through the service: it leads somewhere from then on.
  const leads = ({ endpoints }: Json): boolean => endpoints?.some(({ conditions }: Json) => conditions.ready);
  await slices.next('MODIFIED', leads);
}

// Configurations

const configurations = (kind: string): string => `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
const made: string[] = [];
afterEach(async () => {
  for (const path of made.splice(0)) await api.call('DELETE', path);
});
const rule = (resource: string, operations: readonly string[] = ['CREATE', 'UPDATE'], group = ''): Json => ({
  apiGroups: [group],
  apiVersions: ['*'],
  operations,
  resources: [resource],
});
let hooks = 0;
/** A webhook that is asked at a path of the server, for what is in the namespace. */
const hook = (path: string, rules: Json, more: Json = {}): Json => ({
  name: `hook-${++hooks}.e2e.example.com`,
  clientConfig: { service: { namespace: pods.namespace, name: 'webhook', path }, caBundle },
  namespaceSelector: { matchLabels: { hooked: 'yes' } },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  rules: [rules].flat(),
  ...more,
});
async function register(kind: 'validating' | 'mutating', webhooks: Json, labels: Json = {}): Promise<string> {
  const { metadata } = await api.post(configurations(kind), {
    metadata: { generateName: 'e2e-', labels },
    webhooks: [webhooks].flat(),
  });
  const path = `${configurations(kind)}/${metadata.name}`;
  made.push(path);
  return path;
}
const maps = (): string => pods.path('configmaps');
const unwanted = { 'webhook-e2e-test': 'webhook-disallow' };
let objects = 0;
const map = (data: Json, metadata: Json = {}): Json => ({ metadata: { name: `map-${++objects}`, ...metadata }, data });
const isDenied = async (data: Json = unwanted): Promise<boolean> => {
  const { status, body } = await api.call('POST', maps(), map(data));
  if (status === 403) assert.match(body.message, /admission webhook "\S+" denied the request: /);
  return status === 403;
};
const stagesOf = async (): Promise<Json> => (await api.post(maps(), map({ 'mutation-start': 'yes' }))).data;

test('[sig-api-machinery] AdmissionWebhook should be able to deny pod and configmap creation', options, async () => {
  const path = await register('validating', [
    hook('/pods', rule('pods', ['CREATE'])),
    hook('/data', rule('configmaps', ['CREATE', 'UPDATE', 'DELETE'])),
  ]);
  assert.ok(await isDenied());
  const pod = pods.pod('true', { name: 'webhook-disallow' });
  const refused = await api.refused(403, 'POST', pods.path('pods'), pod);
  assert.match(refused.message, /the pod contains unwanted container name/);
  const good = map({ a: 'b' });
  await api.post(maps(), good);
  const one = `${maps()}/${good.metadata.name}`;
  await api.refused(403, 'PUT', one, { ...good, data: unwanted });
  await api.refused(403, 'PATCH', one, { data: unwanted }, { 'content-type': 'application/merge-patch+json' });
  const elsewhere = await makeNamespace(api, 'unhooked');
  await api.post(`/api/v1/namespaces/${elsewhere}/configmaps`, map(unwanted));
  await api.delete(path);
  assert.ok(!(await isDenied()));
});
test('[sig-api-machinery] AdmissionWebhook should be able to deny attaching pod', options, async () => {
  await register('validating', hook('/pods/attach', rule('pods/attach', ['CONNECT'])));
  const { metadata } = await pods.ready(pods.pod('sleep 600'));
  const attach = async (): Promise<string> =>
    (
      await cluster.dabba.client('kubectl', [
        '--kubeconfig',
        cluster.kubeconfig,
        'attach',
        '-n',
        pods.namespace,
        metadata.name,
        '--request-timeout=3s',
      ])
    ).stderr;
  assert.match(await attach(), new RegExp(`attaching to pod '${metadata.name}' is not allowed`));
  await api.delete(pods.path('pods', metadata.name), { gracePeriodSeconds: 0 });
});
test('[sig-api-machinery] AdmissionWebhook should mutate configmap', options, async () => {
  await register('mutating', [hook('/stages', rule('configmaps')), hook('/stages', rule('configmaps'))]);
  assert.deepEqual(await stagesOf(), { 'mutation-start': 'yes', 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' });
});
test('[sig-api-machinery] AdmissionWebhook should mutate pod and apply defaults after mutation', options, async () => {
  await register('mutating', hook('/mutating-pods', rule('pods', ['CREATE'])));
  const { spec } = await api.post(`${pods.path('pods')}?dryRun=All`, pods.pod('true'));
  const [added] = spec.initContainers;
  assert.equal(added.name, 'webhook-added-init-container');
  assert.equal(added.terminationMessagePolicy, 'File', 'what the webhook left out has its default');
  assert.equal(added.imagePullPolicy, 'Always');
});
test("[sig-api-machinery] AdmissionWebhook should mutate everything except 'skip-me' configmaps", options, async () => {
  const matchConditions = [{ name: 'skip-me', expression: "object.metadata.name != 'skip-me'" }];
  await register('mutating', hook('/stages', rule('configmaps'), { matchConditions }));
  assert.ok('mutation-stage-1' in (await stagesOf()));
  const skipped = await api.post(maps(), map({ 'mutation-start': 'yes' }, { name: 'skip-me' }));
  assert.deepEqual(skipped.data, { 'mutation-start': 'yes' });
});
test(
  '[sig-api-machinery] AdmissionWebhook should unconditionally reject operations on fail closed webhook',
  options,
  async () => {
    const nobody = { service: { namespace: pods.namespace, name: 'nobody', path: '/' }, caBundle };
    const create = ['CREATE'];
    await register(
      'validating',
      hook('/', rule('configmaps', create), { clientConfig: nobody, failurePolicy: 'Fail' }),
    );
    const { message } = await api.refused(500, 'POST', maps(), map({ a: 'b' }));
    assert.match(message, /failed calling webhook/);
  },
);
test('[sig-api-machinery] AdmissionWebhook should honor timeout', options, async () => {
  const slow = async (more: Json): Promise<Json> => {
    const path = await register('validating', hook('/always-allow-delay-5s', rule('configmaps', ['CREATE']), more));
    const began = performance.now();
    const answer = await api.call('POST', maps(), map({ a: 'b' }));
    const tookMs = performance.now() - began;
    await api.delete(path);
    return { ...answer, tookMs };
  };
  const failed = await slow({ timeoutSeconds: 1, failurePolicy: 'Fail' });
  assert.equal(failed.status, 500);
  assert.match(failed.body.message, /failed calling webhook .*(deadline exceeded|timeout)/i);
  assert.ok(failed.tookMs < 4500);
  const ignored = await slow({ timeoutSeconds: 1, failurePolicy: 'Ignore' });
  assert.ok(ignored.status === 201 && ignored.tookMs < 4500);
  const patient = await slow({ failurePolicy: 'Fail' });
  assert.ok(patient.status === 201 && patient.tookMs >= 4900, 'ten seconds are the default');
});
test(
  '[sig-api-machinery] AdmissionWebhook should not be able to mutate or prevent deletion of webhook configuration objects',
  options,
  async () => {
    const rules = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'].map((resource) =>
      rule(resource, ['*'], 'admissionregistration.k8s.io'),
    );
    const all = { namespaceSelector: {} };
    await register('validating', [hook('/always-deny', rules, all), hook('/data', rule('configmaps'))]);
    await register('mutating', [hook('/add-label', rules, all), hook('/stages', rule('configmaps'))]);
    assert.ok(await isDenied());
    assert.ok('mutation-stage-1' in (await stagesOf()));
    for (const kind of ['validating', 'mutating'] as const) {
      const path = await register(kind, hook('/always-deny', rule('invalid')));
      assert.equal((await api.get(path)).metadata.labels, undefined);
      await api.delete(path);
    }
  },
);

// One of many, changed and listed

for (const kind of ['validating', 'mutating'] as const) {
  const isObeyed = async (): Promise<boolean> =>
    kind === 'validating' ? await isDenied() : 'mutation-stage-1' in (await stagesOf());
  const path = kind === 'validating' ? '/data' : '/stages';
  test(`[sig-api-machinery] AdmissionWebhook patching/updating a ${kind} webhook should work`, options, async () => {
    const at = await register(kind, hook(path, rule('configmaps', ['CREATE'])));
    assert.ok(await isObeyed());
    const read = await api.get(at);
    read.webhooks[0].rules[0].operations = ['UPDATE'];
    await api.put(at, read);
    assert.ok(!(await isObeyed()));
    await api.patch(at, [{ op: 'replace', path: '/webhooks/0/rules/0/operations', value: ['CREATE'] }], 'json');
    assert.ok(await isObeyed());
  });
  test(`[sig-api-machinery] AdmissionWebhook listing ${kind} webhooks should work`, options, async () => {
    const labels = { listed: `${kind}-yes` };
    for (let count = 0; count < 10; count++) await register(kind, hook(path, rule('configmaps', ['CREATE'])), labels);
    const selected = `${configurations(kind)}?labelSelector=listed%3D${kind}-yes`;
    assert.equal((await api.get(selected)).items.length, 10);
    assert.ok(await isObeyed());
    await api.delete(selected);
    assert.ok(!(await isObeyed()));
  });
}

// Custom resources

const group = 'webhooks.example.com';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
interface Kind {
  readonly plural: string;
  /** Objects of it in the namespace. */
  readonly at: (version?: string) => string;
  readonly object: (data: Json, version?: string) => Json;
}
const definition = (plural: string, versions: Json, labels: Json = {}, more: Json = {}): Json => ({
  metadata: { name: `${plural}.${group}`, labels },
  spec: { group, scope: 'Namespaced', names: { plural, kind: `Kind${plural}` }, versions, ...more },
});
const version = (
  name: string,
  storage: boolean,
  data: Json = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
): Json => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: { type: 'object', properties: { data } } },
});
async function define(plural: string, versions: Json, more: Json = {}): Promise<Kind> {
  await api.post(definitions, definition(plural, versions, {}, more));
  made.push(`${definitions}/${plural}.${group}`);
  const at = (name = 'v1'): string => `/apis/${group}/${name}/namespaces/${pods.namespace}/${plural}`;
  await until(api, `${definitions}/${plural}.${group}`, ({ status }) =>
    status?.conditions?.some(({ type, status: is }: Json) => type === 'Established' && is === 'True'),
  );
  const object = (data: Json, name = 'v1'): Json => ({
    apiVersion: `${group}/${name}`,
    kind: `Kind${plural}`,
    metadata: { name: `object-${++objects}` },
    data,
  });
  return { plural, at, object };
}
test(
  '[sig-api-machinery] AdmissionWebhook should be able to deny custom resource creation, update and deletion',
  options,
  async () => {
    const { plural, at, object } = await define('denied', [version('v1', true)]);
    const kept = object(unwanted);
    await api.post(at(), kept);
    const path = await register('validating', hook('/data', rule(plural, ['*'], group)));
    await api.refused(403, 'POST', at(), object(unwanted));
    const good = object({ a: 'b' });
    await api.post(at(), good);
    await api.refused(
      403,
      'PATCH',
      `${at()}/${good.metadata.name}`,
      { data: unwanted },
      { 'content-type': 'application/merge-patch+json' },
    );
    const refused = await api.refused(403, 'DELETE', `${at()}/${kept.metadata.name}`);
    assert.match(refused.message, /the object contains unwanted key and value/);
    await api.delete(path);
    await api.delete(`${at()}/${kept.metadata.name}`);
  },
);
const start = { 'mutation-start': 'yes' };
for (const [title, plural, data, expected] of [
  [
    'should mutate custom resource',
    'mutated',
    undefined,
    { ...start, 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' },
  ],
  [
    'should mutate custom resource with pruning',
    'pruned',
    { type: 'object', properties: { 'mutation-start': { type: 'string' }, 'mutation-stage-1': { type: 'string' } } },
    { ...start, 'mutation-stage-1': 'yes' },
  ],
] as const)
  test(`[sig-api-machinery] AdmissionWebhook ${title}`, options, async () => {
    const { at, object } = await define(plural, [version('v1', true, data)]);
    const one = hook('/stages', rule(plural, ['CREATE'], group));
    await register('mutating', [one, { ...one, name: `second.${one.name}` }]);
    assert.deepEqual((await api.post(at(), object(start))).data, expected);
  });
test(
  '[sig-api-machinery] AdmissionWebhook should mutate custom resource with different stored version',
  options,
  async () => {
    const versions = (stored: string): Json => ['v1', 'v2'].map((name) => version(name, name === stored));
    const { plural, at, object } = await define('versioned', versions('v1'));
    const old = object(start);
    await api.post(at(), old);
    await register('mutating', hook('/stages', rule(plural, ['CREATE', 'UPDATE'], group)));
    assert.ok('mutation-stage-1' in (await api.post(at(), object(start))).data);
    await api.patch(`${definitions}/${plural}.${group}`, { spec: { versions: versions('v2') } });
    const change = async (): Promise<Json> =>
      await api.patch(`${at()}/${old.metadata.name}`, { data: { dummy: 'test' } });
    const { data } = await change();
    assert.deepEqual(data, { ...start, 'mutation-stage-1': 'yes', dummy: 'test' });
    const read = await api.get(`${at('v2')}/${old.metadata.name}`);
    assert.deepEqual([read.apiVersion, read.data['mutation-stage-1']], [`${group}/v2`, 'yes']);
  },
);
test('[sig-api-machinery] AdmissionWebhook should deny crd creation', options, async () => {
  const labels = { 'webhook-e2e-test': 'webhook-disallow' };
  const rules = rule('customresourcedefinitions', ['CREATE'], 'apiextensions.k8s.io');
  await register(
    'validating',
    hook('/always-deny', rules, { namespaceSelector: {}, objectSelector: { matchLabels: labels } }),
  );
  const forbidden = definition('forbidden', [version('v1', true)], labels);
  const { message } = await api.refused(403, 'POST', definitions, forbidden);
  assert.match(message, /this webhook denies all requests/);
  await api.refused(404, 'GET', `${definitions}/forbidden.${group}`);
});

// Conversion

/** Two versions that the webhook converts. */
const twoVersions = (stored: 'v1' | 'v2'): Json =>
  Object.entries({ v1: ['hostPort'], v2: ['host', 'port'] }).map(([name, fields]) => ({
    name,
    served: true,
    storage: name === stored,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])),
      },
    },
  }));
async function defineConverted(plural: string): Promise<Kind> {
  const service = { namespace: pods.namespace, name: 'webhook', path: '/crdconvert' };
  const webhook = { clientConfig: { service, caBundle }, conversionReviewVersions: ['v1', 'v1beta1'] };
  return await define(plural, twoVersions('v1'), { conversion: { strategy: 'Webhook', webhook } });
}
const fieldsOf = ({ hostPort, host, port }: Json): Json => ({ hostPort, host, port });
const [inOne, inTwo] = [
  { hostPort: 'localhost:8080', host: undefined, port: undefined },
  { hostPort: undefined, host: 'localhost', port: '8080' },
];

test(
  '[sig-api-machinery] CustomResourceConversionWebhook should be able to convert from CR v1 to CR v2',
  options,
  async () => {
    const { at, object } = await defineConverted('converted');
    const { metadata, ...one } = object(undefined);
    await api.post(at(), { ...one, metadata, hostPort: 'localhost:8080' });
    const read = async (name: string): Promise<Json> => fieldsOf(await api.get(`${at(name)}/${metadata.name}`));
    assert.deepEqual([await read('v2'), await read('v1')], [inTwo, inOne]);
  },
);
test(
  '[sig-api-machinery] CustomResourceConversionWebhook should be able to convert a non homogeneous list of CRs',
  options,
  async () => {
    const { at, object } = await defineConverted('mixed');
    await api.post(at('v1'), { ...object(undefined, 'v1'), hostPort: 'localhost:8080' });
    await api.patch(`${definitions}/mixed.${group}`, { spec: { versions: twoVersions('v2') } });
    await api.post(at('v2'), { ...object(undefined, 'v2'), host: 'localhost', port: '8080' });
    for (const [version, expected] of [
      ['v1', inOne],
      ['v2', inTwo],
    ] as const) {
      const { items } = await api.get(at(version));
      assert.deepEqual(items.map(fieldsOf), [expected, expected], version);
      assert.deepEqual(
        items.map(({ apiVersion }: Json) => apiVersion),
        [`${group}/${version}`, `${group}/${version}`],
      );
    }
  },
);
