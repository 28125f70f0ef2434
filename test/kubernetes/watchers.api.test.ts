/** Watches and lists as upstream's sig-api-machinery tests use them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, PATIENCE_MS, Watch } from './api.ts';
import { makeNamespace } from './lifecycle.ts';
import { type ApiCluster, startApiCluster } from './in-process.ts';

let cluster: ApiCluster;
let api: Api;
let configMaps: string;
before(async () => {
  cluster = await startApiCluster();
  ({ api } = cluster);
  configMaps = `/api/v1/namespaces/${await makeNamespace(api, 'watchers')}/configmaps`;
});
after(async () => await cluster[Symbol.asyncDispose]());

const options = { timeout: PATIENCE_MS };
const labelled = (name: string, label: string, data: Json = {}): Json => ({
  metadata: { name, labels: { watched: label } },
  data,
});
const selector = (label: string): string => `labelSelector=watched%3D${label}`;

test(
  '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps',
  options,
  async () => {
    await using a = await Watch.on(api, `${configMaps}?${selector('multiple-a')}`);
    await using b = await Watch.on(api, `${configMaps}?${selector('multiple-b')}`);
    await using both = await Watch.on(
      api,
      `${configMaps}?labelSelector=${encodeURIComponent('watched in (multiple-a,multiple-b)')}`,
    );
    await api.post(configMaps, labelled('watch-a', 'multiple-a'));
    for (const watch of [a, both]) await watch.next('ADDED', ({ metadata }) => metadata.name === 'watch-a');
    for (const count of ['1', '2']) {
      await api.patch(`${configMaps}/watch-a`, { data: { mutation: count } });
      for (const watch of [a, both]) await watch.next('MODIFIED', ({ data }) => data.mutation === count);
    }
    await api.delete(`${configMaps}/watch-a`);
    for (const watch of [a, both]) await watch.next('DELETED');
    await api.post(configMaps, labelled('watch-b', 'multiple-b'));
    for (const watch of [b, both]) await watch.next('ADDED', ({ metadata }) => metadata.name === 'watch-b');
    await api.delete(`${configMaps}/watch-b`);
    for (const watch of [b, both]) await watch.next('DELETED');
  },
);

test(
  '[sig-api-machinery] Watchers should be able to start watching from a specific resource version',
  options,
  async () => {
    await api.post(configMaps, labelled('from-version', 'from-version'));
    const first = await api.patch(`${configMaps}/from-version`, { data: { mutation: '1' } });
    await api.patch(`${configMaps}/from-version`, { data: { mutation: '2' } });
    await api.delete(`${configMaps}/from-version`);
    await using watch = await Watch.on(
      api,
      `${configMaps}?${selector('from-version')}&resourceVersion=${first.metadata.resourceVersion}`,
    );
    assert.equal((await watch.next('MODIFIED')).data.mutation, '2');
    assert.equal((await watch.next('DELETED')).data.mutation, '2');
  },
);

test(
  '[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch',
  options,
  async () => {
    await api.post(configMaps, labelled('restart', 'restart'));
    let last: string;
    {
      await using watch = await Watch.on(api, `${configMaps}?${selector('restart')}`);
      await api.patch(`${configMaps}/restart`, { data: { mutation: '1' } });
      last = (await watch.next('MODIFIED', ({ data }) => data?.mutation === '1')).metadata.resourceVersion;
    }
    await api.patch(`${configMaps}/restart`, { data: { mutation: '2' } });
    await api.delete(`${configMaps}/restart`);
    await using again = await Watch.on(api, `${configMaps}?${selector('restart')}&resourceVersion=${last}`);
    assert.equal((await again.next('MODIFIED')).data.mutation, '2');
    await again.next('DELETED');
  },
);

test(
  '[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector',
  options,
  async () => {
    await using watch = await Watch.on(api, `${configMaps}?${selector('label-changed')}`);
    await api.post(configMaps, labelled('label-changed', 'label-changed'));
    await watch.next('ADDED');
    await api.patch(`${configMaps}/label-changed`, { data: { mutation: '1' } });
    await watch.next('MODIFIED');
    await api.patch(`${configMaps}/label-changed`, { metadata: { labels: { watched: 'other' } } });
    const deleted = await watch.next('DELETED');
    assert.equal(deleted.data.mutation, '1');
    await api.patch(`${configMaps}/label-changed`, { data: { mutation: '2' } });
    await api.patch(`${configMaps}/label-changed`, { metadata: { labels: { watched: 'label-changed' } } });
    assert.equal((await watch.next('ADDED')).data.mutation, '2');
    await api.patch(`${configMaps}/label-changed`, { data: { mutation: '3' } });
    assert.equal((await watch.next('MODIFIED')).data.mutation, '3');
    await api.delete(`${configMaps}/label-changed`);
    await watch.next('DELETED');
  },
);

test('[sig-api-machinery] Watchers should receive events on concurrent watches in same order', options, async () => {
  const from = (await api.get(`${configMaps}?${selector('concurrent')}`)).metadata.resourceVersion;
  const writes = Array.from({ length: 20 }, async (_, n) => {
    await api.post(configMaps, labelled(`concurrent-${n}`, 'concurrent'));
    await api.patch(`${configMaps}/concurrent-${n}`, { data: { n: String(n) } });
    await api.delete(`${configMaps}/concurrent-${n}`);
  });
  const sequences = Array.from({ length: 10 }, async () => {
    const seen: string[] = [];
    let deleted = 0;
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for await (const { type, object } of api.watch(
      `${configMaps}?${selector('concurrent')}&resourceVersion=${from}`,
      signal,
    )) {
      seen.push(`${type} ${object.metadata.name} ${object.metadata.resourceVersion}`);
      if (type === 'DELETED' && ++deleted === 20) break;
    }
    return seen;
  });
  await Promise.all(writes);
  const [first, ...others] = await Promise.all(sequences);
  assert.equal(first!.length, 60);
  for (const other of others) assert.deepEqual(other, first);
});

test(
  '[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls',
  options,
  async () => {
    const templates = configMaps.replace('configmaps', 'podtemplates');
    const total = 40;
    await Promise.all(
      Array.from(
        { length: total },
        async (_, n) =>
          await api.post(templates, {
            metadata: { name: `template-${String(n).padStart(4, '0')}` },
            template: { spec: { containers: [{ name: 'test', image: 'test' }] } },
          }),
      ),
    );
    const names: string[] = [];
    let token = '';
    let version = '';
    do {
      const page = await api.get(`${templates}?limit=17&continue=${encodeURIComponent(token)}`);
      version ||= page.metadata.resourceVersion;
      assert.equal(page.metadata.resourceVersion, version, 'every page is of one version');
      names.push(...page.items.map(({ metadata }: Json) => metadata.name));
      token = page.metadata.continue ?? '';
      if (token) assert.equal(page.metadata.remainingItemCount, total - names.length);
    } while (token);
    assert.equal(names.length, total);
    assert.deepEqual(names, names.toSorted());
    assert.equal((await api.get(`${templates}?limit=${total + 1}`)).metadata.continue, undefined);
    assert.equal((await api.refused(400, 'GET', `${templates}?limit=1&continue=nonsense`)).reason, 'BadRequest');
  },
);

test(
  '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata',
  options,
  async () => {
    const answer = await api.call(
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      { spec: { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } } },
      { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    );
    assert.equal(answer.status, 406);
  },
);

test('a table names its columns and holds the objects that were asked for', options, async () => {
  await api.post(configMaps, labelled('table', 'table', { a: '1', b: '2' }));
  const table = await api.get(`${configMaps}?${selector('table')}&includeObject=Object`, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  });
  assert.equal(table.kind, 'Table');
  assert.deepEqual(
    table.columnDefinitions.map(({ name }: Json) => name),
    ['Name', 'Data', 'Age'],
  );
  assert.deepEqual(table.rows[0].cells.slice(0, 2), ['table', 2]);
  assert.equal(table.rows[0].object.data.a, '1');
});

test('[sig-api-machinery] server version should find the server version', options, async () => {
  const version = await api.get('/version');
  assert.deepEqual([version.major, version.minor], ['1', '34']);
  assert.match(version.gitVersion, /^v1\.34\.\d+/);
});
