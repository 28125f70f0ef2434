/**
 * The ledger of upstream's conformance tests: which of their 441 names a test of ours covers, and that each of those passes. A test of ours covers a name by being called
 * `[sig] name` in a file of this folder: `*.api.test.ts` runs a cluster in process, `*.pods.test.ts` an EKS cluster with nodes. `ledger.tsv` lists what passed once, with its
 * suite. This file is a reporter of the test run, which it fails when a recorded name of a suite that ran is missing or fails; it also tells what passes and is not recorded.
 * `node test/kubernetes/ledger.ts` prints how much is covered.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ConformanceName {
  readonly sig: string;
  /** `A` API alone, `W` webhooks, `C` controllers and pods, `N` node, `S` services: what a test of this name needs. */
  readonly kind: string;
  readonly name: string;
}

const folder = import.meta.dirname;

function rows(file: string): string[][] {
  return readFileSync(join(folder, file), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));
}

/** Upstream's names, v1.35. */
export function conformanceNames(): readonly ConformanceName[] {
  return rows('conformance-names.tsv').map(([sig = '', kind = '', name = '']) => ({ sig, kind, name }));
}

/** What passed once and must pass for ever. */
export interface LedgerRow {
  /** `[sig] name`. */
  readonly title: string;
  /** `api` or `pods`: the kind of file its test stands in. */
  readonly suite: string;
}

export function ledger(): readonly LedgerRow[] {
  return rows('ledger.tsv').map(([title = '', suite = '']) => ({ title, suite }));
}

export function titleOf({ sig, name }: Pick<ConformanceName, 'sig' | 'name'>): string {
  return `[${sig}] ${name}`;
}

/** What a run says of the ledger: titles that must pass and did not, and titles that pass and are not in it yet. */
export function compare(
  passed: ReadonlySet<string>,
  recorded: readonly string[],
  names: readonly ConformanceName[],
): { readonly lost: readonly string[]; readonly gained: readonly string[]; readonly unknown: readonly string[] } {
  const known = new Set(names.map(titleOf));
  return {
    lost: recorded.filter((title) => !passed.has(title)),
    gained: [...passed].filter((title) => known.has(title) && !recorded.includes(title)),
    unknown: recorded.filter((title) => !known.has(title)),
  };
}

interface TestEvent {
  readonly type: string;
  readonly data: { readonly name?: string; readonly file?: string; readonly skip?: unknown; readonly todo?: unknown };
}

/** A reporter of `node --test`: says nothing of a run that keeps the ledger, and fails one that does not. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const passed = new Set<string>();
  const suites = new Set<string>();
  for await (const { type, data } of events) {
    const suite = data.file?.match(/\.(api|pods)\.test\.ts$/)?.[1];
    if (suite) suites.add(suite);
    if (type === 'test:pass' && !data.skip && !data.todo && data.name?.startsWith('[sig-')) passed.add(data.name);
  }
  const recorded = ledger()
    .filter(({ suite }) => suites.has(suite))
    .map(({ title }) => title);
  const { lost, gained, unknown } = compare(passed, recorded, conformanceNames());
  for (const title of lost) yield `ledger: passed once, not now: ${title}\n`;
  for (const title of unknown) yield `ledger: no conformance test has this name: ${title}\n`;
  for (const title of gained) yield `ledger: passes, to be recorded in test/kubernetes/ledger.tsv: ${title}\n`;
  yield `ledger: ${recorded.length} recorded for ${[...suites].join(' and ')}, ${passed.size} passed, of ${conformanceNames().length} in all\n`;
  if (lost.length + unknown.length > 0) process.exitCode = 1;
}

if (import.meta.main) {
  const names = conformanceNames();
  const recorded = new Set(ledger().map(({ title }) => title));
  for (const sig of new Set(names.map((name) => name.sig))) {
    const own = names.filter((name) => name.sig === sig);
    console.log(`${sig}\t${own.filter((name) => recorded.has(titleOf(name))).length} of ${own.length}`);
  }
  console.log(`all\t${recorded.size} of ${names.length}`);
}
