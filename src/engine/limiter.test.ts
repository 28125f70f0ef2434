import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Limiter } from './limiter.ts';

test('no more run than there are places, in order, and an aborted wait leaves its place to the next', async () => {
  const limiter = new Limiter(1);
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const abort = new AbortController();
  const first = limiter.run(() => gate.promise);
  const second = limiter.run(async () => void order.push('second'), abort.signal);
  const third = limiter.run(async () => void order.push('third'));
  const failing = limiter.run(() => Promise.reject(new Error('failed')));
  const last = limiter.run(async () => void order.push('last'));
  abort.abort(new Error('enough'));
  await assert.rejects(second, { message: 'enough' });
  gate.resolve();
  await Promise.all([first, third, last, assert.rejects(failing, { message: 'failed' })]);
  assert.deepEqual(order, ['third', 'last']);
});
