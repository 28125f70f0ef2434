import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps } from '../resources.ts';
import type { ConfigMap } from '../types.ts';
import type { ApiClient } from './client.ts';
import type { Informer, Informers } from './informer.ts';

/** Makes informers and a client of the same cluster; the contract disposes of it. */
export type InformersMaker = () => Promise<
  { readonly client: ApiClient; readonly informers: Informers } & AsyncDisposable
>;

const inDefault = (name: string) => ({ namespace: 'default', name });

/** Resolves when the copy satisfies `test`. */
function until(copy: Informer<ConfigMap>, holds: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = copy.onChange(() => holds() && resolve());
  if (holds()) resolve();
  return promise.finally(stop);
}

/** The executable contract of `Informers`: every adapter runs it whole. */
export function informersContract(name: string, make: InformersMaker): void {
  describe(`${name} keep the contract of informers`, () => {
    test('a copy holds what was there and follows what changes', { timeout: 20_000 }, async () => {
      await using made = await make();
      const { client, informers } = made;
      await client.create(configMaps, { metadata: inDefault('a'), data: { n: '1' } });
      const copy = informers.of(configMaps, { namespace: 'default' });
      await copy.synced();
      assert.equal(copy.get('default/a')?.data?.['n'], '1');
      await client.create(configMaps, { metadata: inDefault('b') });
      await client.patch(configMaps, inDefault('a'), { kind: 'merge', body: { data: { n: '2' } } });
      await until(copy, () => copy.get('default/a')?.data?.['n'] === '2' && copy.get('default/b') !== undefined);
      await client.delete(configMaps, inDefault('a'));
      await until(copy, () => copy.get('default/a') === undefined);
      assert.deepEqual(
        copy.list('default').map(({ metadata }) => metadata?.name),
        ['b'],
      );
      assert.deepEqual(copy.list('other'), []);
    });

    test('changes come in order, first what is there', { timeout: 20_000 }, async () => {
      await using made = await make();
      const { client, informers } = made;
      await client.create(configMaps, { metadata: inDefault('a'), data: { n: '1' } });
      const copy = informers.of(configMaps, { namespace: 'default' });
      await copy.synced();
      const seen: (readonly [string | undefined, string | undefined])[] = [];
      copy.onChange(({ now, before }) => seen.push([before?.data?.['n'], now?.data?.['n']]));
      await client.patch(configMaps, inDefault('a'), { kind: 'merge', body: { data: { n: '2' } } });
      await client.delete(configMaps, inDefault('a'));
      await until(copy, () => copy.list().length === 0);
      assert.deepEqual(seen, [
        [undefined, '1'],
        ['1', '2'],
        ['2', undefined],
      ]);
    });

    test('objects are found by what an index says of them', { timeout: 20_000 }, async () => {
      await using made = await make();
      const { client, informers } = made;
      const copy = informers.of(configMaps, {
        namespace: 'default',
        indexes: { n: ({ data }) => [data?.['n'] ?? ''] },
      });
      await copy.synced();
      await client.create(configMaps, { metadata: inDefault('a'), data: { n: 'x' } });
      await client.create(configMaps, { metadata: inDefault('b'), data: { n: 'x' } });
      await until(copy, () => copy.by('n', 'x').length === 2);
      await client.patch(configMaps, inDefault('a'), { kind: 'merge', body: { data: { n: 'y' } } });
      await until(copy, () => copy.by('n', 'y').length === 1 && copy.by('n', 'x').length === 1);
      assert.throws(() => copy.by('none', 'x'), /no index none/);
    });

    test('what leaves a selection leaves the copy', { timeout: 20_000 }, async () => {
      await using made = await make();
      const { client, informers } = made;
      const copy = informers.of(configMaps, { labelSelector: 'set=mine' });
      await copy.synced();
      await client.create(configMaps, { metadata: { ...inDefault('a'), labels: { set: 'mine' } } });
      await until(copy, () => copy.list().length === 1);
      await client.patch(configMaps, inDefault('a'), {
        kind: 'merge',
        body: { metadata: { labels: { set: 'other' } } },
      });
      await until(copy, () => copy.list().length === 0);
    });
  });
}
