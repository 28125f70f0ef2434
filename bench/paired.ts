import { readFileSync } from 'node:fs';

/** One of those compared: does the work once, and resolves with what it measured, by default the milliseconds it took. */
export interface Subject {
  readonly name: string;
  readonly once: () => Promise<number | void>;
}

/** What ours is held against: its ratio to that peer must be at most, or at least, so much. */
export interface Target {
  readonly ours: string;
  readonly peer: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/**
 * Runs all subjects in every round, each round beginning with another, after one round for warming up. Prints their medians, then the median of
 * the rounds' own ratios beside each target. Other work on the machine falls on all alike.
 */
export async function compare(
  title: string,
  unit: string,
  rounds: number,
  subjects: readonly Subject[],
  targets: readonly Target[],
): Promise<void> {
  const results = new Map(subjects.map(({ name }) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++)
    for (let turn = 0; turn < subjects.length; turn++) {
      const { name, once } = subjects[(turn + round + 1) % subjects.length]!;
      const startedAt = performance.now();
      const measured = (await once()) ?? performance.now() - startedAt;
      if (round >= 0) results.get(name)!.push(measured);
    }
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
  console.log(`\n${title} (${rounds} rounds, load average ${load})`);
  for (const [name, values] of results)
    console.log(`  ${name.padEnd(44)} p50 ${show(median(values))} ${unit}   ${spread(values)}`);
  for (const { ours, peer, atMost, atLeast } of targets) {
    const ratios = results.get(ours)!.map((value, round) => value / results.get(peer)![round]!);
    const ratio = median(ratios);
    const isMet = ratio <= (atMost ?? Infinity) && ratio >= (atLeast ?? 0);
    const wanted = atMost === undefined ? (atLeast === undefined ? 'none' : `≥ ${atLeast}`) : `≤ ${atMost}`;
    console.log(
      `  ${`${ours} : ${peer}`.padEnd(60)} ${ratio.toFixed(2)}× (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})   target ${wanted}${wanted === 'none' ? '' : isMet ? ', met' : ', MISSED'}`,
    );
  }
}

const show = (value: number) => value.toFixed(value < 100 ? 1 : 0);
const spread = (values: readonly number[]) => `min ${show(Math.min(...values))}   max ${show(Math.max(...values))}`;
