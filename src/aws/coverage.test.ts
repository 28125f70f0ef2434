import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coverage } from './coverage.ts';
import { defineService } from './service.ts';

const sts = defineService<typeof import('@aws-sdk/client-sts')>({
  name: 'sts',
  signingNames: ['sts'],
  eventSource: 'sts.amazonaws.com',
  loadSdk: () => import('@aws-sdk/client-sts'),
  handlers: { GetCallerIdentity: () => ({}) },
});

test('coverage sets the handlers against the model', async () => {
  const [table] = await coverage([sts]);
  assert.deepEqual(table?.supported, ['GetCallerIdentity']);
  assert.ok(table.missing.includes('AssumeRole') && !table.missing.includes('GetCallerIdentity'));
});

test('a handler that no operation calls is a mistake', async () => {
  const handlers = { GetCallerIdentiy: () => ({}) };
  await assert.rejects(coverage([{ ...sts, handlers }]), /sts handles GetCallerIdentiy/);
});
