import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseIgnoreRules } from './ignore.ts';

function ignored(rules: string, paths: readonly string[]): string[] {
  const read = parseIgnoreRules(rules);
  return paths.filter((path) => read.isIgnored(path));
}

test('patterns leave out files and what lies below directories', () => {
  const paths = ['a', 'a/b', 'a/b/c', 'ab', 'x.log', 'dir/x.log', 'dir/deep/x.log', '.git/config', 'tmp1/f'];
  assert.deepEqual(ignored('a', paths), ['a', 'a/b', 'a/b/c']);
  assert.deepEqual(ignored('/a/', paths), ['a', 'a/b', 'a/b/c']);
  assert.deepEqual(ignored('*.log', paths), ['x.log']);
  assert.deepEqual(ignored('*/*.log', paths), ['dir/x.log']);
  assert.deepEqual(ignored('**/*.log', paths), ['x.log', 'dir/x.log', 'dir/deep/x.log']);
  assert.deepEqual(ignored('dir/**', paths), ['dir/x.log', 'dir/deep/x.log']);
  assert.deepEqual(ignored('tmp?', paths), ['tmp1/f']);
  assert.deepEqual(ignored('tmp[0-9]', paths), ['tmp1/f']);
  assert.deepEqual(ignored('tmp[^0-9]', paths), []);
  assert.deepEqual(ignored('./a/../.git', paths), ['.git/config']);
  assert.deepEqual(ignored('# a\n\n   \n', paths), []);
});

test('exceptions bring back, and the last match decides', () => {
  assert.deepEqual(ignored('*.md\n!README.md', ['README.md', 'b.md']), ['b.md']);
  assert.deepEqual(ignored('!README.md\n*.md', ['README.md', 'b.md']), ['README.md', 'b.md']);
  assert.deepEqual(ignored('dir\n!dir/keep', ['dir/keep', 'dir/drop']), ['dir/drop']);
  assert.deepEqual(ignored('**\n!src/**\nsrc/**/*.o', ['a', 'src/x.c', 'src/d/x.o']), ['a', 'src/d/x.o']);
});

test('a class that does not end is refused', () => {
  assert.throws(() => parseIgnoreRules('a[b'), /syntax error in pattern/);
});

test('property: a plain path leaves out itself and what is below, nothing else', () => {
  const name = fc.stringMatching(/^[a-z0-9.+()|^$-]{1,5}$/).filter((text) => !/^\.{1,2}$/.test(text));
  fc.assert(
    fc.property(name, name, (a, b) => {
      const rules = parseIgnoreRules(a);
      assert.equal(rules.isIgnored(a), true);
      assert.equal(rules.isIgnored(`${a}/${b}`), true);
      assert.equal(rules.isIgnored(b), a === b);
    }),
  );
});
