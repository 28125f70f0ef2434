/** What upstream's "API operations" tests do to a resource, written once: discovery, create, get, list, watch, patch, update, status, delete, delete collection. */
import assert from 'node:assert/strict';
import { type Api, type Json, until, untilGone, Watch } from './api.ts';

export interface Operations {
  /** `/apis/batch/v1`. */
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  /** A fresh valid object of this name. */
  readonly make: (name: string) => Json;
  /** A status patch and what must be seen of it. */
  readonly status?: { readonly patch: Json; readonly holds: (object: Json) => boolean };
  /** Objects that live outside namespaces are told from others' by this label. */
  readonly label: string;
  /** Deletion needs no garbage collector or finalizer to end. */
  readonly isDeletedAtOnce?: boolean;
}

const marked = (label: string, object: Json): Json => ({
  ...object,
  metadata: { ...object.metadata, labels: { ...object.metadata.labels, special: label } },
});

export async function apiOperations(api: Api, operations: Operations): Promise<void> {
  const { group, resource, namespace, make, status, label } = operations;
  const version = group.slice(group.lastIndexOf('/') + 1);

  // Discovery names the group, the version and the resource.
  const resources = await api.get(group);
  const listed = resources.resources.find(({ name }: Json) => name === resource);
  assert.ok(listed, `${group} lists ${resource}`);
  assert.equal(listed.namespaced, namespace !== undefined);
  if (group.startsWith('/apis/')) {
    const groupName = group.split('/')[2]!;
    const found = (await api.get('/apis')).groups.find(({ name }: Json) => name === groupName);
    assert.ok(found?.versions.some((entry: Json) => entry.version === version));
    assert.equal((await api.get(`/apis/${groupName}`)).name, groupName);
  }

  const collection = namespace === undefined ? `${group}/${resource}` : `${group}/namespaces/${namespace}/${resource}`;
  const selector = `labelSelector=special%3D${label}`;
  const { resourceVersion } = (await api.get(`${collection}?${selector}`)).metadata;
  await using watch = await Watch.on(api, `${collection}?${selector}&resourceVersion=${resourceVersion}`);

  const name = `${label}-1`;
  const made = await api.post(collection, marked(label, make(name)));
  assert.equal(made.metadata.name, name);
  assert.ok(made.metadata.uid && made.metadata.creationTimestamp && made.metadata.resourceVersion);
  await api.refused(409, 'POST', collection, marked(label, make(name)));
  const got = await api.get(`${collection}/${name}`);
  assert.equal(got.metadata.uid, made.metadata.uid);
  await api.post(collection, marked(label, make(`${label}-2`)));
  await api.post(collection, marked(label, make(`${label}-3`)));
  assert.equal((await api.get(`${collection}?${selector}`)).items.length, 3);
  if (namespace !== undefined) assert.equal((await api.get(`${group}/${resource}?${selector}`)).items.length, 3);
  await watch.next('ADDED', (object) => object.metadata.name === name);

  const patched = await api.patch(`${collection}/${name}`, { metadata: { annotations: { patched: 'true' } } });
  assert.equal(patched.metadata.annotations.patched, 'true');
  await watch.next('MODIFIED', (object) => object.metadata.annotations?.patched === 'true');

  const read = await api.get(`${collection}/${name}`);
  const updated = await api.put(`${collection}/${name}`, {
    ...read,
    metadata: { ...read.metadata, annotations: { ...read.metadata.annotations, updated: 'true' } },
  });
  assert.deepEqual([updated.metadata.annotations.patched, updated.metadata.annotations.updated], ['true', 'true']);
  await watch.next('MODIFIED', (object) => object.metadata.annotations?.updated === 'true');
  const stale = { ...read, metadata: { ...read.metadata, annotations: { stale: 'true' } } };
  assert.equal((await api.refused(409, 'PUT', `${collection}/${name}`, stale)).reason, 'Conflict');

  if (status) {
    const after = await api.patch(`${collection}/${name}/status`, status.patch);
    assert.ok(status.holds(after), `status: ${JSON.stringify(after.status)}`);
    assert.ok(status.holds(await api.get(`${collection}/${name}/status`)));
  }

  await api.delete(`${collection}/${name}`, { propagationPolicy: 'Background' });
  await untilGone(api, `${collection}/${name}`);
  await watch.next('DELETED', (object) => object.metadata.name === name);
  await api.refused(404, 'GET', `${collection}/${name}`);
  await api.delete(`${collection}?${selector}`);
  for (const rest of [2, 3]) await untilGone(api, `${collection}/${label}-${rest}`);
  assert.equal((await api.get(`${collection}?${selector}`)).items.length, 0);
}

/** A namespace of a test's own, with its default service account. */
export async function makeNamespace(api: Api, prefix: string): Promise<string> {
  const made = await api.post('/api/v1/namespaces', { metadata: { generateName: `${prefix}-` } });
  const name: string = made.metadata.name;
  await until(api, `/api/v1/namespaces/${name}/serviceaccounts/default`, () => true);
  return name;
}
