import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDescriptions, loadSchemas } from '../load.ts';
import { openApiHash, openApiV2, openApiV3, openApiV3Index } from './document.ts';
import { ProtobufReader } from '../protobuf-reader.ts';
import { encodeOpenApiV2 } from './protobuf-v2.ts';
import type { OpenApiResource } from './resource.ts';

const options = {
  schemas: await loadSchemas(),
  descriptions: await loadDescriptions(),
  serverVersion: 'v1.34.2',
};
const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const deployments: OpenApiResource = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  resource: 'deployments',
  isNamespaced: true,
  verbs: allVerbs,
  subresources: [
    { name: 'scale', verbs: ['get', 'update'], kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } },
    { name: 'status', verbs: ['get', 'patch'], kind: { group: 'apps', version: 'v1', kind: 'Deployment' } },
  ],
};
const definitions: OpenApiResource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  resource: 'customresourcedefinitions',
  isNamespaced: false,
  verbs: ['get'],
  subresources: [],
};
const tabs: OpenApiResource = {
  group: 'stable.example.com',
  version: 'v1',
  kind: 'CronTab',
  resource: 'crontabs',
  isNamespaced: true,
  verbs: allVerbs,
  subresources: [],
  customSchema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: { size: { 'x-kubernetes-int-or-string': true }, mode: { type: 'string', nullable: true } },
      },
    },
  },
};

interface Node {
  readonly [name: string]: Node;
}

function at(document: object, ...path: readonly string[]): Node {
  return path.reduce((node, name) => node[name]!, document as Node);
}

test('every reference of both documents leads somewhere', () => {
  const documents = [
    { document: openApiV3([deployments, definitions, tabs], options), prefix: '#/components/schemas/' },
    { document: openApiV2([deployments, definitions, tabs], options), prefix: '#/definitions/' },
  ];
  for (const { document, prefix } of documents) {
    const known = Object.keys(at(document, ...prefix.slice(2, -1).split('/')));
    const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g);
    const missing = Array.from(references, ([, reference]) => reference!).filter(
      (reference) => !reference.startsWith(prefix) || !known.includes(reference.slice(prefix.length)),
    );
    assert.deepEqual(missing, []);
    assert.ok(known.length > 50);
  }
});

test('what kubectl goes by is there: kinds, actions, merge keys, documentation', () => {
  const document = openApiV3([deployments], options);
  const path = '/apis/apps/v1/namespaces/{namespace}/deployments/{name}';
  const patch = at(document, 'paths', path, 'patch');
  assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', kind: 'Deployment', version: 'v1' });
  assert.equal(patch['x-kubernetes-action'], 'patch');
  assert.ok(JSON.stringify(patch['parameters']).includes('"fieldValidation"'));
  assert.ok('application/strategic-merge-patch+json' in at(patch, 'requestBody', 'content'));
  const all = Object.keys(at(document, 'paths'));
  assert.ok(all.includes('/apis/apps/v1/deployments') && all.includes(`${path}/scale`));

  const schemas = at(document, 'components', 'schemas');
  assert.deepEqual(at(schemas, 'io.k8s.api.apps.v1.Deployment')['x-kubernetes-group-version-kind'], [
    { group: 'apps', kind: 'Deployment', version: 'v1' },
  ]);
  const ports = at(schemas, 'io.k8s.api.core.v1.Container', 'properties', 'ports');
  assert.equal(ports['x-kubernetes-patch-merge-key'], 'containerPort');
  assert.deepEqual(ports['x-kubernetes-list-map-keys'], ['containerPort', 'protocol']);
  const replicas = at(schemas, 'io.k8s.api.apps.v1.DeploymentSpec', 'properties', 'replicas');
  assert.match(JSON.stringify(replicas['description']), /^"Number of desired pods/);
});

test('a custom resource is published as it was written, and in v2 as far as v2 can say it', () => {
  const name = 'com.example.stable.v1.CronTab';
  const written = at(openApiV3([tabs], options), 'components', 'schemas', name, 'properties');
  assert.deepEqual(at(written, 'spec'), tabs.customSchema!['properties']!['spec' as never]);
  assert.deepEqual(at(written, 'metadata'), {
    $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
  });
  const plain = at(openApiV2([tabs], options), 'definitions', name, 'properties', 'spec', 'properties');
  assert.deepEqual(plain, { size: {}, mode: {} });
});

test('the index tells where a document is, by a hash that changes with it', () => {
  const hash = openApiHash([tabs], options);
  assert.deepEqual(openApiV3Index(new Map([['apis/a/v1', hash]])), {
    paths: { 'apis/a/v1': { serverRelativeURL: `/openapi/v3/apis/a/v1?hash=${hash}` } },
  });
  assert.notEqual(openApiHash([{ ...tabs, verbs: [] }], options), hash);
});

test('v2 in protobuf says what v2 in JSON says', () => {
  const document = openApiV2([deployments, tabs], options);
  const top = messageIn(encodeOpenApiV2(document));
  assert.equal(text(top.get(1)?.[0]), '2.0');
  const named = (bytes: Uint8Array | undefined, list: number) =>
    new Map(
      (messageIn(bytes).get(list) ?? []).map((entry) => {
        const parts = messageIn(entry);
        return [text(parts.get(1)?.[0]), parts.get(2)?.[0]] as const;
      }),
    );
  const definitions = named(top.get(9)?.[0], 1);
  assert.deepEqual([...definitions.keys()], Object.keys(at(document, 'definitions')));
  assert.deepEqual([...named(top.get(8)?.[0], 2).keys()], Object.keys(at(document, 'paths')));
  const container = messageIn(definitions.get('io.k8s.api.core.v1.Container'));
  const properties = named(container.get(25)?.[0], 1);
  const extensions = new Map(
    (messageIn(properties.get('ports')).get(31) ?? []).map((entry) => {
      const parts = messageIn(entry);
      return [text(parts.get(1)?.[0]), text(messageIn(parts.get(2)?.[0]).get(2)?.[0]).trim()] as const;
    }),
  );
  assert.equal(extensions.get('x-kubernetes-patch-merge-key'), 'containerPort');
});

/** The parts of a message that have a length, by field number. */
function messageIn(bytes: Uint8Array = new Uint8Array()): ReadonlyMap<number, readonly Uint8Array[]> {
  const reader = new ProtobufReader(bytes);
  const parts = new Map<number, Uint8Array[]>();
  for (let field = reader.next(); field; field = reader.next())
    if (reader.isPacked) parts.set(field.number, [...(parts.get(field.number) ?? []), reader.bytes()]);
    else reader.skip();
  return parts;
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}
