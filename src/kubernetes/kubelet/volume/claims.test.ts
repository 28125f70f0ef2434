import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directoryOf } from './claims.ts';

test('whatever a volume’s handle is, its files have one name of their own', () => {
  const of = (volumeHandle: string) => directoryOf({ spec: { csi: { driver: 'd', volumeHandle } } });
  const handles = ['.', '..', '...', '../x', 'a/b', '%2E%2E', 'pvc-1', '\ud800'];
  const names = handles.map((handle) => of(handle)!);
  assert.equal(new Set(names).size, handles.length);
  for (const name of names) assert.match(name, /^(?!\.{1,2}$)[^/]+$/);
  assert.equal(names.at(-2), 'pvc-1');
});
