import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { resolveBeneath } from './beneath.ts';

test('paths lead where they would in a root of their own', () => {
  const root = mkdtempSync(join(tmpdir(), 'dabba-beneath-'));
  try {
    mkdirSync(join(root, 'a/b'), { recursive: true });
    writeFileSync(join(root, 'a/file'), '');
    symlinkSync('/a', join(root, 'absolute'));
    symlinkSync('../../../../a/b', join(root, 'a/climbing'));
    symlinkSync('loop', join(root, 'loop'));
    const expected: readonly (readonly [path: string, resolved: string])[] = [
      ['/a/b', 'a/b'],
      ['a/../a/./b/', 'a/b'],
      ['../../etc/passwd', 'etc/passwd'],
      ['absolute/file', 'a/file'],
      ['a/climbing/new', 'a/b/new'],
      ['absolute/climbing/..', 'a'],
      ['/', ''],
      ['not/yet/there', 'not/yet/there'],
    ];
    for (const [path, resolved] of expected) assert.equal(resolveBeneath(root, path), resolved, path);
    assert.equal(resolveBeneath(root, '/absolute', 'keep'), 'absolute');
    assert.throws(() => resolveBeneath(root, 'loop/x'), /too many symbolic links/);

    const part = fc.constantFrom('a', 'b', '..', '.', '', 'absolute', 'climbing', 'file', 'new');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const resolved = resolveBeneath(root, parts.join('/'));
        assert.ok(!resolved.startsWith('/') && !resolved.split('/').includes('..'));
        assert.equal(resolveBeneath(root, resolved), resolved, 'what is resolved stays so');
      }),
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('a path with a NUL is refused', () => {
  assert.throws(() => resolveBeneath('/', 'a\0b'), { kind: 'InvalidArgument' });
});
