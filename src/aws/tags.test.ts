import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwsError } from './errors.ts';
import {
  lowerCaseTags,
  mergeTags,
  readTags,
  requestTagContext,
  resourceTagContext,
  upperCaseTags,
  withoutTags,
} from './tags.ts';

test('tags go in and out in each of the wire forms', () => {
  assert.deepEqual(readTags([{ key: 'a', value: '1' }]), { a: '1' });
  assert.deepEqual(readTags([{ Key: 'a' }]), { a: '' });
  assert.deepEqual(lowerCaseTags({ a: '1' }), [{ key: 'a', value: '1' }]);
  assert.deepEqual(upperCaseTags({ a: '1' }), [{ Key: 'a', Value: '1' }]);
  assert.deepEqual(withoutTags({ a: '1', b: '2' }, ['a']), { b: '2' });
});

test('what no service takes is refused with the code asked for', () => {
  const many = Array.from({ length: 51 }, (_, index) => ({ key: `k${index}`, value: '' }));
  const refused = (list: Parameters<typeof readTags>[0]) =>
    assert.throws(
      () => readTags(list, 'Bad'),
      (error) => error instanceof AwsError && error.code === 'Bad',
    );
  for (const list of [
    [{ key: '' }],
    [{ key: 'aws:x' }],
    [{ key: 'x'.repeat(129) }],
    [{ key: 'x', value: 'y'.repeat(257) }],
    many,
  ])
    refused(list);
  assert.throws(() => mergeTags(readTags(many.slice(1)), { more: '' }, 'Bad'), AwsError);
});

test('tags become condition keys', () => {
  assert.deepEqual(requestTagContext({ a: '1' }), { 'aws:TagKeys': ['a'], 'aws:RequestTag/a': '1' });
  assert.deepEqual(resourceTagContext({ a: '1' }, 'ecs'), { 'aws:ResourceTag/a': '1', 'ecs:ResourceTag/a': '1' });
});
