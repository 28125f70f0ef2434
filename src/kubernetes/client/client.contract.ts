import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubernetesObject } from '../object.ts';
import { configMaps, deployments } from '../resources.ts';
import { isStatusError, type StatusReason } from '../status.ts';
import type { ConfigMap, Deployment } from '../types.ts';
import type { ApiClient, WatchEvent } from './client.ts';

/** Makes a client of a cluster whose namespace `default` exists and holds nothing of the tests' own; the contract disposes of it. */
export type ClientMaker = () => Promise<{ readonly client: ApiClient } & AsyncDisposable>;

const inDefault = (name: string) => ({ namespace: 'default', name });

function configMap(name: string, more: Partial<ConfigMap> & { labels?: Record<string, string> } = {}): ConfigMap {
  const { labels, ...fields } = more;
  return { metadata: { ...inDefault(name), ...(labels && { labels }) }, data: { a: '1' }, ...fields };
}

function deployment(name: string): Deployment {
  const labels = { app: name };
  return {
    metadata: inDefault(name),
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  };
}

const refused = (reason: StatusReason) => (error: unknown) => isStatusError(error, reason);

/** The executable contract of `ApiClient`: every adapter runs it whole. */
export function clientContract(name: string, make: ClientMaker): void {
  describe(`${name} keeps the contract of the API client`, () => {
    const check = (title: string, body: (client: ApiClient) => Promise<void>): void => {
      test(title, { timeout: 20_000 }, async () => {
        await using made = await make();
        await body(made.client);
      });
    };

    check('what is created has an identity and is found', async (client) => {
      const made = await client.create(configMaps, configMap('a'));
      assert.ok(made.metadata?.uid && made.metadata.resourceVersion && made.metadata.creationTimestamp);
      assert.equal(made.kind, 'ConfigMap');
      assert.deepEqual(await client.get(configMaps, inDefault('a')), made);
    });

    check('a name is taken once, and can be generated', async (client) => {
      await client.create(configMaps, configMap('a'));
      await assert.rejects(client.create(configMaps, configMap('a')), refused('AlreadyExists'));
      const generated = { metadata: { namespace: 'default', generateName: 'g-' } };
      const first = await client.create(configMaps, generated);
      const second = await client.create(configMaps, generated);
      assert.match(first.metadata!.name!, /^g-[a-z0-9]{5}$/);
      assert.notEqual(first.metadata!.name, second.metadata!.name);
    });

    check('what is not there is not found', async (client) => {
      await assert.rejects(client.get(configMaps, inDefault('none')), refused('NotFound'));
      await assert.rejects(client.delete(configMaps, inDefault('none')), refused('NotFound'));
      await assert.rejects(
        client.patch(configMaps, inDefault('none'), { kind: 'merge', body: {} }),
        refused('NotFound'),
      );
    });

    check('an update of an old version conflicts, and one that changes nothing is none', async (client) => {
      const first = await client.create(configMaps, configMap('a'));
      const second = await client.update(configMaps, { ...first, data: { a: '2' } });
      assert.notEqual(second.metadata!.resourceVersion, first.metadata!.resourceVersion);
      await assert.rejects(client.update(configMaps, { ...first, data: { a: '3' } }), refused('Conflict'));
      const third = await client.update(configMaps, second);
      assert.equal(third.metadata!.resourceVersion, second.metadata!.resourceVersion);
    });

    check('a merge patch changes what it names', async (client) => {
      await client.create(configMaps, configMap('a', { data: { a: '1', b: '2' } }));
      const patched = await client.patch(configMaps, inDefault('a'), {
        kind: 'merge',
        body: { metadata: { labels: { x: 'y' } }, data: { a: null, c: '3' } },
      });
      assert.deepEqual(patched.data, { b: '2', c: '3' });
      assert.deepEqual(patched.metadata!.labels, { x: 'y' });
    });

    check('a patch that names a version conflicts with a later one', async (client) => {
      const first = await client.create(configMaps, configMap('a'));
      await client.update(configMaps, { ...first, data: { a: '2' } });
      const body = { metadata: { resourceVersion: first.metadata!.resourceVersion }, data: { a: '3' } };
      await assert.rejects(client.patch(configMaps, inDefault('a'), { kind: 'merge', body }), refused('Conflict'));
    });

    check('a generation counts changes of the spec, and status is its own subresource', async (client) => {
      const made = await client.create(deployments, { ...deployment('d'), status: { replicas: 9 } });
      assert.equal(made.metadata!.generation, 1);
      assert.equal(made.status?.replicas, undefined, 'status is not written at creation');
      const scaled = await client.patch(deployments, inDefault('d'), {
        kind: 'merge',
        body: { spec: { replicas: 2 } },
      });
      assert.equal(scaled.metadata!.generation, 2);
      const told = await client.update(
        deployments,
        { ...scaled, spec: { ...scaled.spec!, replicas: 7 }, status: { observedGeneration: 2, replicas: 2 } },
        { subresource: 'status' },
      );
      assert.deepEqual([told.spec!.replicas, told.status!.replicas, told.metadata!.generation], [2, 2, 2]);
      const updated = await client.update(deployments, { ...told, status: { replicas: 5 } });
      assert.equal(updated.status!.replicas, 2, 'the object itself does not write status');
    });

    check('a finalizer holds a deletion back until it is gone', async (client) => {
      const held = configMap('a');
      await client.create(configMaps, { ...held, metadata: { ...held.metadata, finalizers: ['example.com/hold'] } });
      await client.delete(configMaps, inDefault('a'));
      const leaving = await client.get(configMaps, inDefault('a'));
      assert.ok(leaving.metadata!.deletionTimestamp);
      await client.patch(configMaps, inDefault('a'), { kind: 'merge', body: { metadata: { finalizers: null } } });
      await assert.rejects(client.get(configMaps, inDefault('a')), refused('NotFound'));
    });

    check('a deletion can be tied to an identity', async (client) => {
      const { metadata } = await client.create(configMaps, configMap('a'));
      const other = { preconditions: { uid: '00000000-0000-4000-8000-000000000000' } };
      await assert.rejects(client.delete(configMaps, inDefault('a'), other), refused('Conflict'));
      await client.delete(configMaps, inDefault('a'), { preconditions: { uid: metadata!.uid! } });
      await assert.rejects(client.get(configMaps, inDefault('a')), refused('NotFound'));
    });

    check('a list takes selectors and pages', async (client) => {
      for (const name of ['a', 'b', 'c'])
        await client.create(configMaps, configMap(name, { labels: { set: 'mine', odd: String(name !== 'b') } }));
      const names = (items: readonly KubernetesObject[]) => items.map(({ metadata }) => metadata!.name);
      const mine = { namespace: 'default', labelSelector: 'set=mine' };
      assert.deepEqual(names((await client.list(configMaps, mine)).items), ['a', 'b', 'c']);
      const odd = await client.list(configMaps, { ...mine, labelSelector: 'set=mine,odd in (true)' });
      assert.deepEqual(names(odd.items), ['a', 'c']);
      const one = await client.list(configMaps, { ...mine, fieldSelector: 'metadata.name=b' });
      assert.deepEqual(names(one.items), ['b']);
      const first = await client.list(configMaps, { ...mine, limit: 2 });
      assert.deepEqual(names(first.items), ['a', 'b']);
      const rest = await client.list(configMaps, { ...mine, limit: 2, continue: first.continue! });
      assert.deepEqual([names(rest.items), rest.continue], [['c'], undefined]);
    });

    check('a watch tells what happened behind a version, in order', async (client) => {
      const { resourceVersion } = await client.list(configMaps, { namespace: 'default' });
      const made = await client.create(configMaps, configMap('a', { labels: { set: 'mine' } }));
      await client.update(configMaps, { ...made, data: { a: '2' } });
      await client.delete(configMaps, inDefault('a'));
      const events = await take(client, 3, { resourceVersion, labelSelector: 'set=mine' });
      assert.deepEqual(
        events.map(({ type, object }) => [type, object.data?.['a']]),
        [
          ['ADDED', '1'],
          ['MODIFIED', '2'],
          ['DELETED', '2'],
        ],
      );
    });

    check('an object that leaves a selection is deleted to its watchers', async (client) => {
      const made = await client.create(configMaps, configMap('a', { labels: { set: 'mine' } }));
      const { resourceVersion } = await client.list(configMaps, { namespace: 'default' });
      await client.patch(configMaps, inDefault('a'), {
        kind: 'merge',
        body: { metadata: { labels: { set: 'other' } } },
      });
      const [event] = await take(client, 1, { resourceVersion, labelSelector: 'set=mine' });
      assert.deepEqual([event!.type, event!.object.metadata!.uid], ['DELETED', made.metadata!.uid]);
    });
  });
}

/** The first `count` events of a watch on config maps, bookmarks aside. */
async function take(
  client: ApiClient,
  count: number,
  options: { readonly resourceVersion: string; readonly labelSelector: string },
): Promise<readonly WatchEvent<ConfigMap>[]> {
  const stop = new AbortController();
  const events: WatchEvent<ConfigMap>[] = [];
  for await (const event of client.watch(configMaps, { namespace: 'default', ...options, signal: stop.signal })) {
    if (event.type !== 'BOOKMARK') events.push(event);
    if (events.length === count) break;
  }
  stop.abort();
  return events;
}
