import { lstatSync, readdirSync, type BigIntStats } from 'node:fs';
import { systemCode } from '#base';
import { getAttribute } from '#kernel';
import type { FileChange } from '../files.ts';
import { byteName, compareNames, fsPath, kernelPath, textOf, type ByteName } from './names.ts';
import { isWhiteout, opaqueAttribute } from './whiteout.ts';

/** One entry of an upper, as found. */
interface UpperEntry {
  readonly path: ByteName;
  readonly stats: BigIntStats;
  readonly isOpaque: boolean;
}

/** Everything in an upper, parents before children, sorted. Runs on a thread whose root directory is the upper. */
export function readUpper(except: readonly string[]): readonly UpperEntry[] {
  const left = new Set(except.map(byteName));
  const entries: UpperEntry[] = [];
  const visit = (directory: ByteName) => {
    for (const name of namesIn(directory === '' ? '/' : directory)) {
      const path = `${directory}/${name}`;
      const stats = statsOf(path);
      if (stats === undefined || left.has(path)) continue;
      const isOpaque = stats.isDirectory() && getAttribute(kernelPath(path), opaqueAttribute)?.toString() === 'y';
      entries.push({ path, stats, isOpaque });
      if (stats.isDirectory()) visit(path);
    }
  };
  visit('');
  return entries;
}

/**
 * What the entries of an upper change of the tree that is the thread's root directory now. A directory counts as modified if something in it
 * changed or its owner or mode did. What an opaque directory hides is told as deleted.
 */
export function compareWithLower(entries: readonly UpperEntry[]): readonly FileChange[] {
  const lower = new LowerTree();
  const hidden = entries
    .filter(({ path, isOpaque }) => isOpaque && lower.isDirectory(path))
    .flatMap(({ path }) => hiddenIn(path, new Map(entries.map((entry) => [entry.path, entry])), lower));
  const changed = entries.flatMap((entry): (FileChange & { readonly path: ByteName })[] => {
    const { path, stats } = entry;
    const below = lower.find(path);
    if (isWhiteout(stats)) return below ? [{ path, kind: 'deleted' }] : [];
    if (!below) return [{ path, kind: 'added' }];
    const isSame = stats.isDirectory() && below.isDirectory() && hasSameRights(stats, below);
    return isSame ? [] : [{ path, kind: 'modified' }];
  });
  return withParents([...changed, ...hidden]).map(({ path, kind }) => ({ path: textOf(path), kind }));
}

/** Adds the directories above a change that are not told themselves; they are modified by it. */
function withParents(changes: readonly FileChange[]): readonly FileChange[] {
  const all = new Map(changes.map((change) => [change.path, change]));
  for (const { path } of changes)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      if (!all.has(parent)) all.set(parent, { path: parent, kind: 'modified' });
    }
  return [...all.values()].sort((left, right) => compareNames(left.path, right.path));
}

/** What an opaque directory hides: what is not in the upper too, and so on in the directories that are in both. */
function hiddenIn(directory: ByteName, upper: ReadonlyMap<ByteName, UpperEntry>, lower: LowerTree): FileChange[] {
  return namesIn(directory).flatMap((name): FileChange[] => {
    const path = `${directory}/${name}`;
    const above = upper.get(path);
    if (!above) return [{ path, kind: 'deleted' }];
    return above.stats.isDirectory() && lower.isDirectory(path) ? hiddenIn(path, upper, lower) : [];
  });
}

/** Looks names up without following a link anywhere on the way. */
class LowerTree {
  readonly #directories = new Map<ByteName, boolean>([['', true]]);

  find(path: ByteName): BigIntStats | undefined {
    return this.isDirectory(path.slice(0, path.lastIndexOf('/'))) ? statsOf(path) : undefined;
  }

  isDirectory(path: ByteName): boolean {
    let isDirectory = this.#directories.get(path);
    if (isDirectory === undefined) {
      isDirectory = this.find(path)?.isDirectory() ?? false;
      this.#directories.set(path, isDirectory);
    }
    return isDirectory;
  }
}

function hasSameRights(left: BigIntStats, right: BigIntStats): boolean {
  return left.mode === right.mode && left.uid === right.uid && left.gid === right.gid;
}

function namesIn(directory: ByteName): readonly ByteName[] {
  try {
    return readdirSync(fsPath(directory), { encoding: 'latin1' }).sort(compareNames);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return []; // gone since it was seen
    throw error;
  }
}

function statsOf(path: ByteName): BigIntStats | undefined {
  return lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
}
