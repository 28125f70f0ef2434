/** Custom resources, field validation and discovery as upstream's sig-api-machinery tests use them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, PATIENCE_MS, until, untilGone, Watch } from './api.ts';
import { makeNamespace } from './lifecycle.ts';
import { type ApiCluster, startApiCluster } from './in-process.ts';

let cluster: ApiCluster;
let api: Api;
let namespace: string;
before(async () => {
  cluster = await startApiCluster();
  ({ api } = cluster);
  namespace = await makeNamespace(api, 'custom');
});
after(async () => await cluster[Symbol.asyncDispose]());

const options = { timeout: PATIENCE_MS };
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const strict = { 'content-type': 'application/json' };

interface Definition {
  readonly group: string;
  readonly kind: string;
  readonly versions?: readonly Json[];
  readonly schema?: Json;
  readonly labels?: Json;
}

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const version = (name: string, schema: Json = anything, extra: Json = {}): Json => ({
  name,
  served: true,
  storage: name === 'v1',
  schema: { openAPIV3Schema: schema },
  ...extra,
});

function definition({ group, kind, versions, schema, labels }: Definition): Json {
  const singular = kind.toLowerCase();
  return {
    metadata: { name: `${singular}s.${group}`, ...(labels && { labels }) },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: `${singular}s`, singular, kind, listKind: `${kind}List` },
      versions: versions ?? [version('v1', schema)],
    },
  };
}

/** Makes a definition, waits until it is served, and answers the path of its objects. */
async function define(
  of: Definition,
  served = 'v1',
): Promise<{ readonly path: string; readonly objects: string; readonly apiVersion: string }> {
  const made = await api.post(definitions, definition(of));
  const path = `${definitions}/${made.metadata.name}`;
  await until(api, path, ({ status }) =>
    status?.conditions?.some(({ type, status: is }: Json) => type === 'Established' && is === 'True'),
  );
  return {
    path,
    apiVersion: `${of.group}/${served}`,
    objects: `/apis/${of.group}/${served}/namespaces/${namespace}/${of.kind.toLowerCase()}s`,
  };
}

test(
  '[sig-api-machinery] CustomResourceDefinition resources Simple CustomResourceDefinition creating/deleting custom resource definition objects works',
  options,
  async () => {
    const { path, objects } = await define({ group: 'create.example.com', kind: 'Noxu' });
    await api.post(objects, { apiVersion: 'create.example.com/v1', kind: 'Noxu', metadata: { name: 'one' } });
    await api.delete(path);
    await untilGone(api, path);
    assert.equal((await api.call('GET', objects)).status, 404);
  },
);

test(
  '[sig-api-machinery] CustomResourceDefinition resources Simple CustomResourceDefinition listing custom resource definition objects works',
  options,
  async () => {
    for (const n of [1, 2]) await define({ group: `list${n}.example.com`, kind: 'Noxu', labels: { list: 'crds' } });
    assert.equal((await api.get(`${definitions}?labelSelector=list%3Dcrds`)).items.length, 2);
    await api.delete(`${definitions}?labelSelector=list%3Dcrds`);
    for (const n of [1, 2]) await untilGone(api, `${definitions}/noxus.list${n}.example.com`);
  },
);

test(
  '[sig-api-machinery] CustomResourceDefinition resources Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works',
  options,
  async () => {
    const { path } = await define({ group: 'status.example.com', kind: 'Noxu' });
    const read = await api.get(`${path}/status`);
    const condition = {
      type: 'StatusUpdate',
      status: 'True',
      reason: 'E2E',
      message: 'Set by a test',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const updated = await api.put(`${path}/status`, {
      ...read,
      status: { ...read.status, conditions: [...read.status.conditions, condition] },
    });
    assert.ok(updated.status.conditions.some(({ type }: Json) => type === 'StatusUpdate'));
    const patched = await api.patch(
      `${path}/status`,
      [{ op: 'add', path: '/status/conditions/-', value: { ...condition, type: 'StatusPatched' } }],
      'json',
    );
    assert.ok(patched.status.conditions.some(({ type }: Json) => type === 'StatusPatched'));
  },
);

test(
  '[sig-api-machinery] CustomResourceDefinition Watch watch on custom resource definition objects',
  options,
  async () => {
    const { objects, apiVersion } = await define({ group: 'watch.example.com', kind: 'Noxu' });
    await using watch = await Watch.on(api, objects);
    for (const name of ['name1', 'name2']) {
      await api.post(objects, { apiVersion, kind: 'Noxu', metadata: { name }, content: { key: 'value' } });
      await watch.next('ADDED', ({ metadata }) => metadata.name === name);
    }
    await api.patch(`${objects}/name1`, { dummy: 'test' });
    await watch.next('MODIFIED', ({ dummy }) => dummy === 'test');
    for (const name of ['name1', 'name2']) {
      await api.delete(`${objects}/${name}`);
      await watch.next('DELETED', ({ metadata }) => metadata.name === name);
    }
  },
);

test(
  '[sig-api-machinery] CustomResourceDefinition resources should include custom resource definition resources in discovery documents',
  options,
  async () => {
    const group = (await api.get('/apis')).groups.find(({ name }: Json) => name === 'apiextensions.k8s.io');
    assert.ok(group.versions.some(({ groupVersion }: Json) => groupVersion === 'apiextensions.k8s.io/v1'));
    assert.equal((await api.get('/apis/apiextensions.k8s.io')).name, 'apiextensions.k8s.io');
    const { resources } = await api.get('/apis/apiextensions.k8s.io/v1');
    assert.ok(resources.some(({ name }: Json) => name === 'customresourcedefinitions'));
  },
);

const defaulted = (withDefault: boolean): Json => ({
  type: 'object',
  properties: {
    a: { type: 'string', ...(withDefault && { default: 'A' }) },
    b: { type: 'string', ...(withDefault && { default: 'B' }) },
  },
});

test(
  '[sig-api-machinery] CustomResourceDefinition resources custom resource defaulting for requests and from storage works',
  options,
  async () => {
    const { path, objects, apiVersion } = await define({
      group: 'default.example.com',
      kind: 'Noxu',
      schema: defaulted(false),
    });
    await api.post(objects, { apiVersion, kind: 'Noxu', metadata: { name: 'stored' }, a: 'a' });
    const read = await api.get(path);
    await api.put(path, { ...read, spec: { ...read.spec, versions: [version('v1', defaulted(true))] } });
    await until(api, `${objects}/stored`, () => true);
    const deadline = Date.now() + PATIENCE_MS;
    let object = await api.get(`${objects}/stored`);
    // A changed definition takes effect within a second; nothing announces that it has.
    while (object.b === undefined && Date.now() < deadline) object = await api.get(`${objects}/stored`);
    assert.deepEqual([object.a, object.b], ['a', 'B'], 'from storage');
    const made = await api.post(objects, { apiVersion, kind: 'Noxu', metadata: { name: 'made' } });
    assert.deepEqual([made.a, made.b], ['A', 'B'], 'of a request');
  },
);

test(
  '[sig-api-machinery] CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector',
  options,
  async () => {
    const schema = { type: 'object', properties: { host: { type: 'string' }, port: { type: 'string' } } };
    const { objects, apiVersion } = await define({
      group: 'select.example.com',
      kind: 'Endpoint',
      versions: [version('v1', schema, { selectableFields: [{ jsonPath: '.host' }, { jsonPath: '.port' }] })],
    });
    await using watch = await Watch.on(api, `${objects}?fieldSelector=host%3Dhost1`);
    for (const [name, host, port] of [
      ['one', 'host1', '80'],
      ['two', 'host1', '8080'],
      ['three', 'host2', '80'],
    ])
      await api.post(objects, { apiVersion, kind: 'Endpoint', metadata: { name }, host, port });
    assert.deepEqual(
      (await api.get(`${objects}?fieldSelector=host%3Dhost1`)).items.map(({ metadata }: Json) => metadata.name).sort(),
      ['one', 'two'],
    );
    assert.equal(
      (await api.get(`${objects}?fieldSelector=${encodeURIComponent('host=host1,port=80')}`)).items.length,
      1,
    );
    await watch.next('ADDED', ({ metadata }) => metadata.name === 'one');
    await watch.next('ADDED', ({ metadata }) => metadata.name === 'two');
    await api.patch(`${objects}/two`, { host: 'host2' });
    await watch.next('DELETED', ({ metadata }) => metadata.name === 'two');
    await api.refused(400, 'GET', `${objects}?fieldSelector=other%3Dx`);
  },
);

// OpenAPI

const foo = {
  type: 'object',
  description: 'Foo CRD for Testing',
  properties: {
    spec: {
      type: 'object',
      description: 'Specification of Foo',
      properties: {
        bars: {
          type: 'array',
          description: 'List of Bars and their specs.',
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, age: { type: 'string' } },
          },
        },
      },
    },
  },
};

/** The published schema of a kind, once it is there and `holds`. */
async function published(
  group: string,
  served: string,
  kind: string,
  holds: (schema: Json) => boolean = () => true,
): Promise<Json> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { status, body } = await api.call('GET', `/openapi/v3/apis/${group}/${served}`);
    const schemas: Json[] = status === 200 ? Object.values(body.components.schemas) : [];
    const schema = schemas.find((candidate) =>
      candidate['x-kubernetes-group-version-kind']?.some(
        (gvk: Json) => gvk.group === group && gvk.version === served && gvk.kind === kind,
      ),
    );
    if (schema && holds(schema)) return schema;
    // Documents are published within a second; nothing announces that they are.
    assert.ok(Date.now() < deadline, `${group}/${served} ${kind} was not published: ${JSON.stringify(schema)}`);
  }
}

test('[sig-api-machinery] CustomResourcePublishOpenAPI works for CRD with validation schema', options, async () => {
  await define({ group: 'schema.example.com', kind: 'Foo', schema: foo });
  const schema = await published('schema.example.com', 'v1', 'Foo');
  assert.equal(schema.description, 'Foo CRD for Testing');
  assert.equal(schema.properties.spec.properties.bars.description, 'List of Bars and their specs.');
  assert.ok(schema.properties.metadata && schema.properties.apiVersion && schema.properties.kind);
});

test('[sig-api-machinery] CustomResourcePublishOpenAPI works for CRD without validation schema', options, async () => {
  const { objects, apiVersion } = await define({ group: 'free.example.com', kind: 'Foo', schema: anything });
  await published('free.example.com', 'v1', 'Foo');
  await api.post(`${objects}?fieldValidation=Strict`, {
    apiVersion,
    kind: 'Foo',
    metadata: { name: 'free' },
    whatever: { a: 1 },
  });
});

test(
  '[sig-api-machinery] CustomResourcePublishOpenAPI works for CRD preserving unknown fields at the schema root',
  options,
  async () => {
    const { objects, apiVersion } = await define({
      group: 'root.example.com',
      kind: 'Foo',
      schema: { ...foo, 'x-kubernetes-preserve-unknown-fields': true },
    });
    const schema = await published('root.example.com', 'v1', 'Foo');
    assert.equal(schema['x-kubernetes-preserve-unknown-fields'], true);
    const made = await api.post(`${objects}?fieldValidation=Strict`, {
      apiVersion,
      kind: 'Foo',
      metadata: { name: 'a' },
      extra: 1,
    });
    assert.equal(made.extra, 1);
  },
);

test(
  '[sig-api-machinery] CustomResourcePublishOpenAPI works for CRD preserving unknown fields in an embedded object',
  options,
  async () => {
    const embedded = {
      type: 'object',
      properties: {
        spec: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      },
    };
    const { objects, apiVersion } = await define({ group: 'embedded.example.com', kind: 'Foo', schema: embedded });
    await published('embedded.example.com', 'v1', 'Foo');
    const made = await api.post(objects, {
      apiVersion,
      kind: 'Foo',
      metadata: { name: 'a' },
      spec: { apiVersion: 'v1', kind: 'Something', metadata: { name: 'inner' }, free: true },
    });
    assert.equal(made.spec.free, true);
  },
);

test(
  '[sig-api-machinery] CustomResourcePublishOpenAPI works for multiple CRDs of different groups',
  options,
  async () => {
    for (const group of ['first.example.com', 'second.example.com']) await define({ group, kind: 'Foo', schema: foo });
    for (const group of ['first.example.com', 'second.example.com']) await published(group, 'v1', 'Foo');
  },
);

test(
  '[sig-api-machinery] CustomResourcePublishOpenAPI works for multiple CRDs of same group and version but different kinds',
  options,
  async () => {
    for (const kind of ['Foo', 'Bar']) await define({ group: 'kinds.example.com', kind, schema: foo });
    for (const kind of ['Foo', 'Bar']) await published('kinds.example.com', 'v1', kind);
  },
);

test(
  '[sig-api-machinery] CustomResourcePublishOpenAPI works for multiple CRDs of same group but different versions',
  options,
  async () => {
    await define({ group: 'versions.example.com', kind: 'Foo', versions: [version('v1', foo), version('v2', foo)] });
    for (const served of ['v1', 'v2']) await published('versions.example.com', served, 'Foo');
  },
);

test(
  '[sig-api-machinery] CustomResourcePublishOpenAPI updates the published spec when one version gets renamed',
  options,
  async () => {
    const { path } = await define({
      group: 'rename.example.com',
      kind: 'Foo',
      versions: [version('v1', foo), version('v2', foo)],
    });
    await published('rename.example.com', 'v2', 'Foo');
    const read = await api.get(path);
    await api.put(path, {
      ...read,
      spec: { ...read.spec, versions: [read.spec.versions[0], { ...read.spec.versions[1], name: 'v4' }] },
    });
    await published('rename.example.com', 'v4', 'Foo');
    await published('rename.example.com', 'v1', 'Foo');
    assert.equal((await api.call('GET', '/openapi/v3/apis/rename.example.com/v2')).status, 404);
  },
);

test(
  '[sig-api-machinery] CustomResourcePublishOpenAPI removes definition from spec when one version gets changed to not be served',
  options,
  async () => {
    const { path } = await define({
      group: 'unserved.example.com',
      kind: 'Foo',
      versions: [version('v1', foo), version('v2', foo)],
    });
    await published('unserved.example.com', 'v2', 'Foo');
    const read = await api.get(path);
    await api.put(path, {
      ...read,
      spec: { ...read.spec, versions: [read.spec.versions[0], { ...read.spec.versions[1], served: false }] },
    });
    const deadline = Date.now() + PATIENCE_MS;
    // As above: nothing announces it.
    while ((await api.call('GET', '/openapi/v3/apis/unserved.example.com/v2')).status !== 404)
      assert.ok(Date.now() < deadline);
    await published('unserved.example.com', 'v1', 'Foo');
  },
);

// Field validation

const deployment = (spec: string): string =>
  `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"strict","labels":{"app":"nginx"}},"spec":{${spec}"selector":{"matchLabels":{"app":"nginx"}},"template":{"metadata":{"labels":{"app":"nginx"}},"spec":{"containers":[{"name":"nginx","image":"nginx"}]}}}}`;

test(
  '[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object',
  options,
  async () => {
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
    const body = deployment('"unknownField":"unknown","replicas":1,"replicas":2,');
    const refusal = await api.refused(400, 'POST', `${path}?fieldValidation=Strict`, body, strict);
    assert.match(refusal.message, /strict decoding error: /);
    assert.match(refusal.message, /unknown field "spec.unknownField"/);
    assert.match(refusal.message, /duplicate field "spec.replicas"/);
    const warned = await api.call('POST', `${path}?fieldValidation=Warn&dryRun=All`, body, strict);
    assert.equal(warned.status, 201);
    assert.match(String(warned.headers['warning']), /unknown field \\?"spec.unknownField/);
    assert.equal(
      (await api.call('POST', `${path}?fieldValidation=Ignore&dryRun=All`, body, strict)).headers['warning'],
      undefined,
    );
  },
);

test(
  '[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object',
  options,
  async () => {
    const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m","unknownMeta":"x","labels":{"a":"b","a":"c"}}}`;
    const refusal = await api.refused(
      400,
      'POST',
      `/api/v1/namespaces/${namespace}/configmaps?fieldValidation=Strict`,
      body,
      strict,
    );
    assert.match(refusal.message, /unknown field "metadata.unknownMeta"/);
    assert.match(refusal.message, /duplicate field "metadata.labels.a"/);
  },
);

const typed = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        foo: { type: 'string' },
        cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
        ports: {
          type: 'array',
          'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
          'x-kubernetes-list-type': 'map',
          items: {
            type: 'object',
            required: ['containerPort', 'protocol'],
            properties: {
              containerPort: { type: 'integer', format: 'int32' },
              hostPort: { type: 'integer', format: 'int32' },
              protocol: { type: 'string' },
            },
          },
        },
      },
    },
  },
};
const valid = {
  foo: 'foo1',
  cronSpec: '* * * * */5',
  ports: [{ containerPort: 8080, hostPort: 8081, protocol: 'TCP' }],
};
const applied = { 'content-type': 'application/apply-patch+yaml' };

test(
  '[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema',
  options,
  async () => {
    const { objects, apiVersion } = await define({ group: 'novalidation.example.com', kind: 'Noxu', schema: anything });
    const body = { apiVersion, kind: 'Noxu', metadata: { name: 'a' }, spec: { foo: 'foo1', unknown: 1 } };
    const answer = await api.call('PATCH', `${objects}/a?fieldManager=e2e&fieldValidation=Strict`, body, applied);
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    assert.equal(answer.body.spec.unknown, 1);
  },
);

test(
  '[sig-api-machinery] FieldValidation should create/apply a valid CR for CRD with validation schema',
  options,
  async () => {
    const { objects, apiVersion } = await define({ group: 'valid.example.com', kind: 'Noxu', schema: typed });
    const body = { apiVersion, kind: 'Noxu', metadata: { name: 'a' }, spec: valid };
    const answer = await api.call('PATCH', `${objects}/a?fieldManager=e2e&fieldValidation=Strict`, body, applied);
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
  },
);

test(
  '[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema',
  options,
  async () => {
    const { objects, apiVersion } = await define({ group: 'invalid.example.com', kind: 'Noxu', schema: typed });
    const body = { apiVersion, kind: 'Noxu', metadata: { name: 'a' }, spec: { ...valid, extraProperty: 'x' } };
    const refusal = await api.refused(
      400,
      'PATCH',
      `${objects}/a?fieldManager=e2e&fieldValidation=Strict`,
      body,
      applied,
    );
    assert.match(refusal.message, /spec.extraProperty/);
    const dropped = await api.call('PATCH', `${objects}/a?fieldManager=e2e&fieldValidation=Ignore`, body, applied);
    assert.equal(dropped.body.spec.extraProperty, undefined);
    const wrong = { ...body, metadata: { name: 'b' }, spec: { ...valid, cronSpec: 'never' } };
    const invalid = await api.refused(422, 'POST', objects, wrong);
    assert.match(invalid.message, /spec.cronSpec: Invalid value: "never": spec.cronSpec in body should match/);
  },
);

test(
  '[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields',
  options,
  async () => {
    const { objects } = await define({
      group: 'duplicates.example.com',
      kind: 'Noxu',
      schema: { ...typed, 'x-kubernetes-preserve-unknown-fields': true },
    });
    const body = `{"apiVersion":"duplicates.example.com/v1","kind":"Noxu","metadata":{"name":"a"},"unknown":1,"unknown":2,"spec":{"foo":"a","foo":"b"}}`;
    const refusal = await api.refused(400, 'POST', `${objects}?fieldValidation=Strict`, body, strict);
    assert.match(refusal.message, /duplicate field "unknown"/);
    assert.match(refusal.message, /duplicate field "spec.foo"/);
  },
);

test(
  '[sig-api-machinery] FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR',
  options,
  async () => {
    const schema = {
      type: 'object',
      properties: {
        template: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          'x-kubernetes-preserve-unknown-fields': true,
        },
      },
    };
    const { objects } = await define({ group: 'metadata.example.com', kind: 'Noxu', schema });
    const body = `{"apiVersion":"metadata.example.com/v1","kind":"Noxu","metadata":{"name":"a","unknownMeta":1},"template":{"apiVersion":"v1","kind":"Inner","metadata":{"name":"b","unknownSub":1}}}`;
    const refusal = await api.refused(400, 'POST', `${objects}?fieldValidation=Strict`, body, strict);
    assert.match(refusal.message, /unknown field "metadata.unknownMeta"/);
    assert.match(refusal.message, /unknown field "template.metadata.unknownSub"/);
  },
);

// Discovery

test('[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup', options, async () => {
  const { groups } = await api.get('/apis');
  assert.ok(groups.length > 15);
  for (const { name, versions, preferredVersion } of groups) {
    const group = await api.get(`/apis/${name}`);
    assert.deepEqual(group.preferredVersion, preferredVersion);
    assert.ok(
      versions.some(({ groupVersion }: Json) => groupVersion === preferredVersion.groupVersion),
      name,
    );
  }
});

test(
  '[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup',
  options,
  async () => {
    for (const { versions } of (await api.get('/apis')).groups)
      for (const { groupVersion } of versions) {
        const list = await api.get(`/apis/${groupVersion}`);
        assert.equal(list.groupVersion, groupVersion);
        assert.ok(list.resources.length > 0, groupVersion);
      }
  },
);

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

test(
  '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers',
  options,
  async () => {
    const { headers, body } = await api.call('GET', '/apis', undefined, { accept: `${aggregated},application/json` });
    assert.equal(headers['content-type'], aggregated);
    assert.equal(body.kind, 'APIGroupDiscoveryList');
    const core = await api.get('/api', { accept: aggregated });
    assert.ok(core.items[0].versions[0].resources.some(({ resource }: Json) => resource === 'pods'));
    assert.equal((await api.get('/apis', { accept: 'application/json' })).kind, 'APIGroupList');
  },
);

test('[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface', options, async () => {
  const { items } = await api.get('/apis', { accept: aggregated });
  for (const [group, resource] of [
    ['apps', 'deployments'],
    ['batch', 'jobs'],
    ['rbac.authorization.k8s.io', 'roles'],
  ]) {
    const found = items.find(({ metadata }: Json) => metadata.name === group);
    const entry = found.versions[0].resources.find((candidate: Json) => candidate.resource === resource);
    assert.ok(entry.responseKind.kind && entry.verbs.includes('list') && entry.scope === 'Namespaced');
  }
});

for (const [title, group] of [
  ['raw aggregated discovery request for CRDs', 'raw.example.com'],
  ['aggregated discovery interface for CRDs', 'interface.example.com'],
] as const)
  test(`[sig-api-machinery] AggregatedDiscovery should support ${title}`, options, async () => {
    await define({ group, kind: 'Noxu' });
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = (await api.get('/apis', { accept: aggregated })).items.find(
        ({ metadata }: Json) => metadata.name === group,
      );
      if (found) {
        assert.equal(found.versions[0].resources[0].resource, 'noxus');
        break;
      }
      // Discovery follows within a second; nothing announces that it has.
      assert.ok(Date.now() < deadline, `${group} is not in discovery`);
    }
  });

test(
  '[sig-api-machinery] AdmissionWebhook should include webhook resources in discovery documents',
  options,
  async () => {
    const { resources } = await api.get('/apis/admissionregistration.k8s.io/v1');
    for (const name of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'])
      assert.ok(resources.some((resource: Json) => resource.name === name));
  },
);

for (const kind of ['mutating', 'validating'] as const)
  test(
    `[sig-api-machinery] AdmissionWebhook should reject ${kind} webhook configurations with invalid match conditions`,
    options,
    async () => {
      const refusal = await api.refused(
        422,
        'POST',
        `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`,
        {
          metadata: { name: 'invalid-match' },
          webhooks: [
            {
              name: 'a.example.com',
              clientConfig: { url: 'https://127.0.0.1:1/' },
              sideEffects: 'None',
              admissionReviewVersions: ['v1'],
              rules: [
                { operations: ['CREATE'], apiGroups: ['no.example.com'], apiVersions: ['v1'], resources: ['nothings'] },
              ],
              matchConditions: [{ name: 'invalid', expression: '... [] bad expression' }],
            },
          ],
        },
      );
      assert.match(refusal.message, /compilation failed/);
    },
  );
