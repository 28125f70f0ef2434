import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { array, assert as check, asyncProperty, constantFrom, tuple } from 'fast-check';
import { systemCode } from '#base';
import { listMounts, mount, unmount } from '#kernel';
import { openArchives } from '../../src/engine/layer/worker-archives.ts';

/** Property: what `compare` says of an upper is what somebody sees who compares the two trees name by name. */

const work = mkdtempSync(join(tmpdir(), 'dabba-diff-'));
const archives = openArchives();
const signal = AbortSignal.timeout(240_000);

after(async () => {
  await archives[Symbol.asyncDispose]();
  assert.deepEqual(
    listMounts().filter(({ target }) => target.startsWith(work)),
    [],
  );
  rmSync(work, { recursive: true });
});

const name = constantFrom('a', 'b', 'c', 'ü');
const path = array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const kind = constantFrom('file', 'directory', 'link', 'mode', 'gone' as const);
const steps = array(tuple(kind, path), { maxLength: 12 });

test('the changes of an upper are those between the trees', async () => {
  let run = 0;
  await check(
    asyncProperty(steps, steps, async (before, later) => {
      const [lower, upper, inner, merged] = ['lower', 'upper', 'inner', 'merged'].map((each) =>
        join(work, String(run), each),
      );
      run++;
      for (const directory of [lower!, upper!, inner!, merged!]) mkdirSync(directory, { recursive: true });
      for (const step of before) take(lower!, step, 'before');
      const options = `lowerdir=${lower},upperdir=${upper},workdir=${inner},index=off,redirect_dir=off,metacopy=off`;
      mount({ source: 'overlay', target: merged!, type: 'overlay', options });
      try {
        for (const step of later) take(merged!, step, 'later');
        const found = await archives.compare({ upper: upper!, lower: lower!, except: [], signal });
        const told = new Map(found.map((change) => [change.path, change.kind]));
        // A file that was written anew with what it held is in the upper all the same.
        const seen = differences(lower!, merged!);
        for (const [where, change] of seen) assert.equal(told.get(where), change, where);
        for (const [where, change] of told)
          if (!seen.has(where)) assert.equal(change, 'modified', `${where} is ${change}, but nobody sees it`);
      } finally {
        unmount(merged!);
      }
    }),
    { numRuns: 150 },
  );
});

test('what an opaque directory hides is deleted, however deep', async () => {
  const [lower, upper, inner, merged] = ['lower', 'upper', 'inner', 'merged'].map((each) => join(work, 'opaque', each));
  for (const directory of [lower!, upper!, inner!, merged!]) mkdirSync(directory, { recursive: true });
  take(lower!, ['file', 'b/c/a'], 'before');
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${inner},index=off,redirect_dir=off,metacopy=off`;
  mount({ source: 'overlay', target: merged!, type: 'overlay', options });
  try {
    take(merged!, ['gone', 'b'], '');
    take(merged!, ['file', 'b/c/d'], 'later');
    const changes = await archives.compare({ upper: upper!, lower: lower!, except: [], signal });
    assert.deepEqual(changes, [
      { path: '/b', kind: 'modified' },
      { path: '/b/c', kind: 'modified' },
      { path: '/b/c/a', kind: 'deleted' },
      { path: '/b/c/d', kind: 'added' },
    ]);
  } finally {
    unmount(merged!);
  }
});

/** Makes, changes or removes something; what cannot be done is left. */
function take(root: string, [what, where]: readonly [string, string], text: string): void {
  const target = join(root, where);
  try {
    if (lstatSync(dirname(target), { throwIfNoEntry: false }) === undefined)
      mkdirSync(dirname(target), { recursive: true });
    // Never through a link, which would leave the tree.
    for (let parent = dirname(target); parent !== root; parent = dirname(parent))
      if (!lstatSync(parent).isDirectory()) return;
    if (what === 'mode') {
      if (!lstatSync(target).isSymbolicLink()) chmodSync(target, 0o711);
      return;
    }
    if (what !== 'directory' || !lstatSync(target, { throwIfNoEntry: false })?.isDirectory())
      rmSync(target, { recursive: true, force: true });
    if (what === 'file') writeFileSync(target, text);
    if (what === 'directory') mkdirSync(target, { recursive: true });
    if (what === 'link') symlinkSync(text, target);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EEXIST'].includes(systemCode(error) ?? '')) throw error;
  }
}

const nothing = '/nonexistent';

/** What differs between two trees: a directory if its mode does or something in it. */
function differences(lower: string, merged: string, prefix = ''): Map<string, string> {
  const found = new Map<string, string>();
  const names = new Set([...namesIn(lower), ...namesIn(merged)]);
  for (const each of names) {
    const where = `${prefix}/${each}`;
    const [below, above] = [lower, merged].map((root) => lstatSync(join(root, each), { throwIfNoEntry: false }));
    if (!above) found.set(where, 'deleted');
    else if (!below) found.set(where, 'added');
    const areDirectories = below?.isDirectory() && above?.isDirectory();
    const inside: ReadonlyMap<string, string> = above?.isDirectory()
      ? differences(areDirectories ? join(lower, each) : nothing, join(merged, each), where)
      : new Map();
    if (
      below &&
      above &&
      (below.mode !== above.mode ||
        inside.size > 0 ||
        (!areDirectories && !isSame(join(lower, each), join(merged, each))))
    )
      found.set(where, 'modified');
    for (const [deeper, change] of inside) found.set(deeper, change);
  }
  return found;
}

function isSame(one: string, other: string): boolean {
  return (
    lstatSync(one).mode === lstatSync(other).mode &&
    (lstatSync(one).isSymbolicLink() || readFileSync(one).equals(readFileSync(other)))
  );
}

function namesIn(directory: string): readonly string[] {
  return lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(directory) : [];
}
