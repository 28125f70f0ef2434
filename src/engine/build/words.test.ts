import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { expand, expandText, expandToWords, splitRaw, type WordScope } from './words.ts';

const values: { readonly [name: string]: string } = { v: 'value', empty: '', path: '/a/b/c.tar.gz', list: 'one two' };
const scope: WordScope = { escape: '\\', lookup: (name) => values[name] };

test('variables are replaced as a shell does', () => {
  const expected: { readonly [text: string]: string } = {
    $v: 'value',
    '${v}s': 'values',
    $v$v: 'valuevalue',
    $unset: '',
    '${unset:-x}': 'x',
    '${empty:-x}': 'x',
    '${empty-x}': '',
    '${unset-x}': 'x',
    '${v:+x}': 'x',
    '${empty:+x}': '',
    '${empty+x}': 'x',
    '${unset+x}': '',
    '${v:?no}': 'value',
    '${unset:-${v}}': 'value',
    '${unset:-"a b"}': 'a b',
    '${path#*/}': 'a/b/c.tar.gz',
    '${path##*/}': 'c.tar.gz',
    '${path%.*}': '/a/b/c.tar',
    '${path%%.*}': '/a/b/c',
    '${path#nothing}': '/a/b/c.tar.gz',
    '${path/b/X}': '/a/X/c.tar.gz',
    '${path//a/X}': '/X/b/c.tXr.gz',
    '${path/?.tar/X}': '/a/b/X.gz',
    '\\$v': '$v',
    "'$v'": '$v',
    '"$v"': 'value',
    '"\\$v"': '$v',
    '"a\\b"': 'a\\b',
    'a\\ b': 'a b',
    '"it\'s"': "it's",
    $: '$',
    'a$ b': 'a$ b',
    "a'b'c": 'abc',
  };
  for (const [text, wanted] of Object.entries(expected)) assert.equal(expand(text, scope), wanted, text);
});

test('what is malformed says so', () => {
  assert.throws(() => expand("'a", scope), /matching single-quote/);
  assert.throws(() => expand('"a', scope), /matching double-quote/);
  assert.throws(() => expand('${v', scope), /missing "}"/);
  assert.throws(() => expand('${}', scope), /bad substitution/);
  assert.throws(() => expand('${v!x}', scope), /unsupported modifier/);
  assert.throws(() => expand('${unset:?give me}', scope), /unset: give me/);
});

test('words split at unquoted white space, also within a variable', () => {
  assert.deepEqual(expandToWords('a  "b c" $list "$list"', scope), ['a', 'b c', 'one', 'two', 'one two']);
  assert.deepEqual(expandToWords('""', scope), ['']);
  assert.deepEqual(splitRaw('a="b c" d\\ e $v', '\\'), ['a="b c"', 'd\\ e', '$v']);
});

test('a heredoc keeps its quotes', () => {
  assert.equal(expandText('say "$v" \'$v\' \\$v\n', scope), 'say "value" \'value\' $v\n');
});

test('property: single quotes protect everything but themselves', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes("'"));
      assert.equal(expand(`'${text}'`, scope), text);
    }),
  );
});

test('property: escaping every character gives the text, with either escape character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), fc.constantFrom('\\', '`'), (text, escape) => {
      const escaped = text
        .split('')
        .map((character) => escape + character)
        .join('');
      assert.equal(expand(escaped, { ...scope, escape }), text);
      assert.deepEqual(expandToWords(escaped, { ...scope, escape }), text === '' ? [] : [text]);
    }),
  );
});

test('property: the lexer answers or refuses, whatever it reads', () => {
  const alphabet = fc.constantFrom(...'${}:-+?#%/*\'"\\` ab_1\n'.split(''));
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 40 }), (text) => {
      for (const read of [expand, expandToWords, expandText])
        try {
          read(text, scope);
        } catch (error) {
          assert.equal((error as { kind?: string }).kind, 'InvalidArgument');
        }
    }),
    { numRuns: 500 },
  );
});

test('property: trimming a literal takes it off or leaves the value', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{0,6}$/), fc.stringMatching(/^[a-z]{0,3}$/), (value, part) => {
      const own: WordScope = { escape: '\\', lookup: () => value };
      assert.equal(expand(`\${x#${part}}`, own), value.startsWith(part) ? value.slice(part.length) : value);
      assert.equal(
        expand(`\${x%${part}}`, own),
        value.endsWith(part) ? value.slice(0, value.length - part.length) : value,
      );
    }),
  );
});
