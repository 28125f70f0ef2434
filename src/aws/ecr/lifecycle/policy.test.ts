import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '#base';
import type { ManifestRecord } from '#registry';
import { refused } from '../../test-calls.ts';
import { expiring, orphaned } from './evaluate.ts';
import { parseLifecyclePolicy } from './policy.ts';

const DAY = 86_400_000;
const NOW = 1000 * DAY;

const rule = (rulePriority: number, selection: object, action: object = { type: 'expire' }) => ({
  rulePriority,
  description: 'a rule of this test, which has to have some length',
  selection,
  action,
});
const policy = (...rules: object[]) => JSON.stringify({ rules });
const untagged = { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 };
const keep = (countNumber: number, more: object = { tagStatus: 'any' }) => ({
  countType: 'imageCountMoreThan',
  countNumber,
  ...more,
});

const image = (name: string, ageDays: number, tags: readonly string[] = [], more: object = {}): ManifestRecord => ({
  digest: digestOf(Buffer.from(name)),
  mediaType: 'm',
  sizeBytes: 1,
  contentSizeBytes: 1,
  manifests: [],
  blobs: [],
  pushedAt: NOW - ageDays * DAY,
  tags,
  ...more,
});
const goes = (text: string, images: readonly ManifestRecord[]) =>
  expiring(parseLifecyclePolicy(text), images, NOW).map(({ image: { digest }, priority }) => [
    images.findIndex((one) => one.digest === digest),
    priority,
  ]);

describe('lifecycle policies', () => {
  test('what is untagged for long goes, what is tagged stays', () => {
    const images = [image('a', 20), image('b', 10), image('c', 20, ['v1'])];
    assert.deepEqual(goes(policy(rule(1, untagged)), images), [[0, 1]]);
  });

  test('the newest are kept', () => {
    const images = [image('a', 3, ['1']), image('b', 1, ['3']), image('c', 2, ['2'])];
    assert.deepEqual(goes(policy(rule(1, keep(2))), images), [[0, 1]]);
  });

  test('an image whose tags a rule is about is not that of a later one', () => {
    const images = [image('p1', 90, ['prod-1']), image('p2', 80, ['prod-2']), image('d', 70, ['dev-1']), image('n', 1)];
    const prod = keep(1, { tagStatus: 'tagged', tagPrefixList: ['prod'] });
    const old = { tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 30 };
    assert.deepEqual(goes(policy(rule(10, old), rule(1, prod)), images), [
      [0, 1],
      [2, 10],
    ]);
  });

  test('a later rule counts what an earlier one took', () => {
    const images = [image('a', 1, ['prod-1']), image('b', 2, ['x']), image('c', 3, ['y'])];
    const prod = keep(5, { tagStatus: 'tagged', tagPatternList: ['prod*'] });
    assert.deepEqual(goes(policy(rule(1, prod), rule(2, keep(2))), images), [[2, 2]]);
  });

  test('all patterns must find a tag', () => {
    const both = keep(1, { tagStatus: 'tagged', tagPatternList: ['*-arm', 'v*'] });
    const images = [image('a', 3, ['v1', 'x-arm']), image('b', 2, ['v2']), image('c', 1, ['v3-arm'])];
    assert.deepEqual(goes(policy(rule(1, both)), images), [[0, 1]]);
  });

  test('what an index names stays; pulls may count', () => {
    const child = image('child', 20);
    const index = image('index', 20, ['v1'], { manifests: [child.digest] });
    assert.deepEqual(goes(policy(rule(1, untagged)), [child, index]), []);
    const pulled = { tagStatus: 'any', countType: 'sinceImagePulled', countUnit: 'days', countNumber: 5 };
    const images = [image('a', 20, ['a'], { lastPulledAt: NOW - DAY }), image('b', 20, ['b'])];
    assert.deepEqual(goes(policy(rule(1, pulled)), images), [[1, 1]]);
  });

  test('a reference artifact is no image of a rule, and goes after its subject', () => {
    const subject = image('image', 20, ['v1']);
    const signature = image('signature', 20, [], { subject: subject.digest });
    const tagged = image('tagged', 20, ['by-name'], { subject: subject.digest });
    const early = image('early', 0.5, [], { subject: subject.digest });
    assert.deepEqual(goes(policy(rule(1, untagged)), [subject, signature]), []);
    assert.deepEqual(goes(policy(rule(1, keep(1))), [subject, signature]), []);
    assert.deepEqual(goes(policy(rule(1, keep(1))), [image('newer', 1, ['v2']), subject, signature]), [[1, 1]]);
    assert.deepEqual(orphaned([subject, signature, tagged], NOW), []);
    assert.deepEqual(orphaned([signature, tagged, early], NOW), [signature], 'a tag keeps, and so does the first day');
    const index = image('index', 20, ['multi'], { manifests: [signature.digest] });
    assert.deepEqual(orphaned([signature, index], NOW), [], 'an index keeps what it names');
  });

  test('what is no policy is refused with a reason', () => {
    const wrong = (text: string, why: string) =>
      assert.throws(() => parseLifecyclePolicy(text), refused('InvalidParameterException', why));
    wrong('{}', 'length');
    wrong(' '.repeat(120), 'validation failure');
    wrong(policy(rule(1, untagged), rule(1, keep(2))), 'rulePriority of its own');
    wrong(policy(rule(1, keep(2)), rule(2, untagged)), '"any" must have the highest');
    wrong(policy(rule(1, { ...untagged, tagStatus: 'tagged' })), 'go with tagStatus');
    wrong(policy(rule(1, { ...untagged, tagPrefixList: ['a'] })), 'go with tagStatus');
    wrong(policy(rule(1, { ...untagged, countUnit: 'hours' })), 'countUnit');
    wrong(policy(rule(1, { ...untagged, countNumber: 0 })), 'countNumber');
    wrong(policy(rule(1, keep(1, { tagStatus: 'tagged', tagPatternList: ['*a*b*c*d*'] }))), 'wildcards');
    wrong(policy(rule(1, untagged, { type: 'delete' })), '"expire"');
    assert.throws(
      () => parseLifecyclePolicy(policy(rule(1, untagged, { type: 'transition', targetStorageClass: 'archive' }))),
      refused('UnsupportedOperation', 501),
    );
  });
});
