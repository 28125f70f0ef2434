import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatLabelSelector,
  labelSelectorOf,
  labelSelectorOfMap,
  matches,
  matchesFields,
  parseFieldSelector,
  parseLabelSelector,
} from './selector.ts';

const labels = { app: 'web', tier: 'front', 'example.com/rank': '7', empty: '' };

const selected = [
  '',
  'app',
  'app=web',
  'app==web',
  ' app = web , tier != back ',
  'app in (web, db)',
  'app notin (db)',
  'missing notin (a,b)',
  'missing!=x',
  '!missing',
  '! missing',
  'example.com/rank>6',
  'example.com/rank<8,example.com/rank > 1',
  'empty=',
  'empty=,app=web',
  'empty in (,x)',
];
for (const text of selected)
  test(`"${text}" selects`, () => assert.equal(matches(parseLabelSelector(text), labels), true));

const rejected = ['app=db', 'missing', 'missing=', '!app', 'app!=web', 'app in (db)', 'app notin (web)', 'app>1'];
for (const text of rejected)
  test(`"${text}" does not select`, () => assert.equal(matches(parseLabelSelector(text), labels), text === 'never'));

const malformed = [
  '=a',
  'a=b=c',
  'a,',
  ',a',
  'a in b',
  'a in (b',
  'a b',
  'a in (b c)',
  'a>x',
  '-a=b',
  'a/b/c',
  'a=b_',
  '!',
];
for (const text of malformed)
  test(`"${text}" is no selector`, () =>
    assert.throws(() => parseLabelSelector(text), { reason: 'BadRequest', message: /^unable to parse requirement: / }));

test('a selector object selects by labels and expressions; an absent one selects nothing', () => {
  const selector = labelSelectorOf({
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['front'] },
      { key: 'x', operator: 'DoesNotExist' },
    ],
  });
  assert.equal(matches(selector, labels), true);
  assert.equal(matches(selector, { app: 'web' }), false);
  assert.equal(matches(labelSelectorOf(undefined), labels), false);
  assert.equal(matches(labelSelectorOf({}), undefined), true);
  assert.equal(formatLabelSelector(selector), 'app=web,tier=front,!x');
});

test('names of the prototype are no labels', () => {
  assert.equal(matches(parseLabelSelector('constructor'), {}), false);
});

test('a written selector reads back as itself', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  fc.assert(
    fc.property(fc.dictionary(word, word, { maxKeys: 4 }), (map) => {
      const text = formatLabelSelector(labelSelectorOfMap(map));
      assert.equal(formatLabelSelector(parseLabelSelector(text)), text);
      assert.equal(matches(parseLabelSelector(text), map), true);
    }),
  );
});

test('hostile selectors either parse or are refused', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '=', '!', ',', '(', ')', ' ', 'in', '<', '\\'), maxLength: 12 });
  const isRefusal = (error: unknown) => (error as { reason?: string }).reason === 'BadRequest';
  fc.assert(
    fc.property(text, (text) => {
      for (const parse of [parseLabelSelector, parseFieldSelector])
        try {
          parse(text);
        } catch (error) {
          assert.ok(isRefusal(error), String(error));
        }
    }),
  );
});

test('field selectors compare values', () => {
  const terms = parseFieldSelector('spec.nodeName=n1,status.phase!=Failed,metadata.name==a\\,b\\=c,');
  const read = (fields: Record<string, string>) => (field: string) => fields[field] ?? '';
  assert.equal(matchesFields(terms, read({ 'spec.nodeName': 'n1', 'metadata.name': 'a,b=c' })), true);
  assert.equal(
    matchesFields(terms, read({ 'spec.nodeName': 'n1', 'metadata.name': 'a,b=c', 'status.phase': 'Failed' })),
    false,
  );
  assert.deepEqual(parseFieldSelector('a='), [{ field: 'a', isNegated: false, value: '' }]);
  assert.throws(() => parseFieldSelector('a'), { message: "invalid selector: 'a'; can't understand 'a'" });
});
