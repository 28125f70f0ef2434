/** Sets of completion indexes as a job's status writes them: `1,3-5,7`. Behaviour: kubernetes `pkg/controller/job/indexed_job_utils.go`. */

/** Reads a set; indexes at or beyond `completions` are left out, for jobs that were made smaller. */
export function parseIndexes(text: string | undefined, completions: number): ReadonlySet<number> {
  const indexes = new Set<number>();
  for (const range of (text ?? '').split(',')) {
    const [first, last = first] = range.split('-').map(Number);
    if (range === '' || !Number.isInteger(first) || !Number.isInteger(last)) continue;
    for (let index = first!; index <= Math.min(last!, completions - 1); index++) indexes.add(index);
  }
  return indexes;
}

/** Writes a set in its shortest form; two neighbours are written as two. */
export function formatIndexes(indexes: Iterable<number>): string {
  const ranges: [number, number][] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && index === last[1] + 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges
    .map(([first, last]) => {
      if (first === last) return `${first}`;
      return last === first + 1 ? `${first},${last}` : `${first}-${last}`;
    })
    .join(',');
}
