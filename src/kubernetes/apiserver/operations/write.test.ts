import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdmissionPlugin } from '../../auth/user.ts';
import { makeTestCluster } from '../../test-cluster.ts';

test('what a webhook adds beyond the schema is not stored', async () => {
  const plugin: AdmissionPlugin = {
    name: 'webhooks',
    isForeign: true,
    mutate: async ({ object }) => {
      const { spec = {}, data = {} } = object as { readonly spec?: object; readonly data?: object };
      const isMap = object!.kind === 'ConfigMap';
      const added = { known: 'yes', unknown: 'yes' };
      return isMap
        ? { ...object, data: { ...data, ...added }, extra: 1 }
        : object!.kind === 'Thing'
          ? { ...object, spec: { ...spec, ...added } }
          : object!;
    },
  };
  await using cluster = await makeTestCluster({ components: ['controllers'], ports: { admissionPlugins: [plugin] } });
  const properties = { spec: { type: 'object', properties: { known: { type: 'string' } } } };
  const schema = { openAPIV3Schema: { type: 'object', properties } };
  const defined = await cluster.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: {
      metadata: { name: 'things.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Cluster',
        names: { plural: 'things', kind: 'Thing' },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    },
  });
  assert.equal(defined.code, 201, defined.body);
  const body = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 't' } };
  let made = await cluster.call('POST', '/apis/example.com/v1/things', { body });
  // Served from the moment on when its names are accepted.
  while (made.code === 404) made = await cluster.call('POST', '/apis/example.com/v1/things', { body });
  assert.deepEqual((JSON.parse(made.body) as { spec: object }).spec, { known: 'yes' });
  const map = await cluster.call('POST', '/api/v1/namespaces/default/configmaps', {
    body: { metadata: { name: 'm' } },
  });
  const { data, extra } = JSON.parse(map.body) as { data: object; extra?: number };
  assert.deepEqual([data, extra], [{ known: 'yes', unknown: 'yes' }, undefined]);
});
