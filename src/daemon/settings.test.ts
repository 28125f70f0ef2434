import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDabbaError } from '#base';
import { layoutOf, resolveSettings } from './settings.ts';

test('what is given wins over what was remembered, which wins over the defaults', () => {
  assert.equal(resolveSettings({}, {}).port, 4566);
  assert.equal(resolveSettings({}, { port: 5000 }).port, 5000);
  assert.equal(resolveSettings({ port: '6000' }, { port: 5000 }).port, 6000);
  assert.equal(resolveSettings({ rootKey: 'AKIA1:a:b' }, {}).rootKey?.secretAccessKey, 'a:b');
});

test('whose ids containers have is remembered until it is turned off', () => {
  assert.equal(resolveSettings({ usernsRemap: 'dock:ers' }, {}).usernsRemap, 'dock:ers');
  assert.equal(resolveSettings({}, { usernsRemap: 'dock' }).usernsRemap, 'dock');
  assert.equal(resolveSettings({ usernsRemap: 'root' }, { usernsRemap: 'dock' }).usernsRemap, undefined);
  assert.throws(() => resolveSettings({ usernsRemap: 'a:b:c' }, {}), /--userns-remap: "a:b:c"/);
});

test('permission to reset is never remembered', () => {
  assert.equal(resolveSettings({}, { allowReset: true }).allowReset, false);
});

test('a bad option is named', () => {
  const refusal = (option: RegExp) => (error: unknown) =>
    isDabbaError(error, 'InvalidArgument') && option.test(error.message);
  assert.throws(() => resolveSettings({ port: '0' }, {}), refusal(/--port/));
  assert.throws(() => resolveSettings({ port: '80a' }, {}), refusal(/--port/));
  assert.throws(() => resolveSettings({ publicCidr: '1.2.3.4' }, {}), refusal(/--public-cidr/));
  assert.throws(() => resolveSettings({ publicCidr: '1.2.3.400/16' }, {}), refusal(/--public-cidr/));
  assert.throws(() => resolveSettings({ account: '12' }, {}), refusal(/"12"/));
  assert.throws(() => resolveSettings({ rootKey: 'KEY' }, {}), refusal(/--root-key/));
});

test('the layout follows from the data directory alone', () => {
  const layout = layoutOf('/nowhere/data');
  assert.deepEqual(layout, layoutOf('/nowhere/other/../data'));
  assert.notEqual(layout.instance, layoutOf('/nowhere/data2').instance);
  assert.match(layout.instance, /^[0-9a-f]{6}$/);
  assert.equal(layout.dockerSocket, '/nowhere/data/docker.sock');
});

test('no socket path outgrows the 107 bytes of sun_path', () => {
  const layout = layoutOf(`/${'deep/'.repeat(40)}data`);
  for (const path of [layout.dockerSocket, layout.controlSocket, layout.storeSocket, layout.hostSocket])
    assert.ok(path.length <= 107, path);
});
