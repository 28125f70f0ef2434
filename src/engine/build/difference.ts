import { readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { statOf } from './beneath.ts';
import { UpperWriter } from './copy-tree.ts';
import type { MergeJob } from './tree-job.ts';

/** Writes an upper directory that makes the tree at `view` the tree at `wanted`. */
export function writeDifference({ upper, view, wanted }: MergeJob): void {
  const writer = new UpperWriter(upper, view, { madeAtNs: 0n });
  compare('');
  writer.finish();

  function compare(directory: string): void {
    for (const name of namesOf(join(view, directory), join(wanted, directory))) {
      const path = directory === '' ? name : `${directory}/${name}`;
      const before = statOf(join(view, path));
      const after = statOf(join(wanted, path));
      if (!after) writer.removeFromView(path);
      else if (after.isDirectory() && before?.isDirectory()) {
        if (!isSame(before, after)) writer.makeDirectoryLike(path, join(wanted, path));
        compare(path);
      } else if (!before || !isSame(before, after)) writer.copy({ root: wanted, path, name }, path);
    }
  }
}

function namesOf(...directories: readonly string[]): string[] {
  return [...new Set(directories.flatMap((directory) => readdirSync(directory)))].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
}

/** As overlayfs shows an unchanged file from below: the same in all that a change would touch. */
const isSame = (a: Stats, b: Stats) =>
  a.mode === b.mode &&
  a.uid === b.uid &&
  a.gid === b.gid &&
  a.mtimeMs === b.mtimeMs &&
  a.ctimeMs === b.ctimeMs &&
  (a.isDirectory() || a.size === b.size);
