import { setImmediate } from 'node:timers/promises';
import { DabbaError, isDabbaError, messageOf } from '#base';
import { run } from '#kernel';
import {
  dynamicSets,
  listedElements,
  renderChange,
  renderElements,
  renderRemoval,
  renderTable,
} from '../rules/ruleset.ts';
import type { Ruleset } from '../rules/ruleset.ts';

/** Runs nft commands as one transaction, in the namespace mounted at `namespace` or else in the machine's own; resolves to its output. */
export type RunNft = (script: string, namespace?: string) => Promise<string>;

/** Spawns `nft -f -`; lists come with handles. Throws `Unavailable` with nft's first complaint. */
export const runNft: RunNft = async (script, namespace) => {
  const nft = ['nft', '--handle', '-f', '-'];
  const [file, ...args] = namespace === undefined ? nft : ['nsenter', `--net=${namespace}`, ...nft];
  const result = await run(file!, args, { input: script }).catch((error: unknown) => {
    const why = isDabbaError(error, 'NotFound') ? `${file} is not installed` : messageOf(error);
    throw new DabbaError('Unavailable', `cannot run nft: ${why}`, { cause: error });
  });
  if (result.status.kind === 'exited' && result.status.code === 0) return result.stdout.toString();
  const complaint = result.stderr.split('\n', 1)[0] || JSON.stringify(result.status);
  throw new DabbaError('Unavailable', `nft refused the rules: ${complaint}`);
};

/** What a namespace should have. */
export interface DueTables {
  readonly tables: readonly Ruleset[];
  /** Names of tables of an earlier process that stay as they are until somebody knows what they should be. */
  readonly untouched?: readonly string[];
}

/** Tables that the kernel would not take, with what it said. */
export type Refusals = ReadonlyMap<string, Error>;

/**
 * Keeps the tables of one namespace as they should be. Every `refresh` of one turn of the event loop shares one nft run, as do all that come
 * while a run is under way; each resolves when the rules that were due when it was called are in force.
 */
export class AppliedRulesets {
  readonly #due: () => DueTables;
  readonly #run: (script: string) => Promise<string>;
  /** Tables that the kernel may have. */
  readonly #present = new Set<string>();
  /** What they are; unknown at first and after a failure, when whole tables are replaced. */
  #applied = new Map<string, Ruleset>();
  #current: Promise<unknown> = Promise.resolve();
  #next: Promise<Refusals> | undefined;

  constructor(due: () => DueTables, run: (script: string) => Promise<string>) {
    this.#due = due;
    this.#run = run;
  }

  /** Rejects when the first of the tables that are due is refused; tells which others are. */
  refresh(): Promise<Refusals> {
    return (this.#next ??= this.#afterCurrent());
  }

  async #afterCurrent(): Promise<Refusals> {
    await Promise.allSettled([this.#current, setImmediate()]);
    this.#current = this.#next ?? Promise.resolve();
    this.#next = undefined;
    const { tables, untouched = [] } = this.#due();
    const kept = new Set([...tables.map(({ table }) => table), ...untouched]);
    const gone = [...this.#present].filter((table) => !kept.has(table));
    for (const table of kept) this.#present.add(table);
    const before = this.#applied;
    const removals = gone.map(renderRemoval).join('');
    const changes = await Promise.all(
      tables.map(async (wanted) => {
        const known = before.get(wanted.table);
        return known ? renderChange(known, wanted) : `${renderTable(wanted)}${await this.#learnt(wanted)}`;
      }),
    );
    const script = [removals, ...changes].join('');
    if (script === '') return new Map();
    this.#applied = new Map();
    const refusals = new Map<string, Error>();
    try {
      await this.#run(script);
    } catch (error) {
      if (before.size === 0 && tables.length === 1) throw error;
      if (removals) await this.#run(removals);
      await this.#replaceEach(tables, refusals);
    }
    for (const table of gone) this.#present.delete(table);
    this.#applied = new Map(
      tables.filter(({ table }) => !refusals.has(table)).map((ruleset) => [ruleset.table, ruleset]),
    );
    const own = tables[0] && refusals.get(tables[0].table);
    if (own) throw own;
    return refusals;
  }

  /** What a set of the kernel's holds, in nft's words; nothing when it is not there. */
  async elements(table: string, set: string): Promise<readonly string[]> {
    try {
      return listedElements(await this.#run(`list map ip ${table} ${set}\n`));
    } catch (error) {
      // It says the same of whatever it does not do; what it cannot list it will not change either.
      if (!isDabbaError(error, 'Unavailable')) throw error;
      return [];
    }
  }

  /** Puts back what packets taught the table of an earlier process, such as which client has which backend. */
  async #learnt(wanted: Ruleset): Promise<string> {
    const scripts = await Promise.all(
      dynamicSets(wanted).map(async (set) => renderElements(wanted.table, set, await this.elements(wanted.table, set))),
    );
    return scripts.join('');
  }

  /**
   * The kernel may hold something else than we think, when somebody changed a table by hand; replacing it whole mends that. Each by itself, so that what is wrong
   * with one holds up no other.
   */
  async #replaceEach(tables: readonly Ruleset[], refusals: Map<string, Error>): Promise<void> {
    for (const ruleset of tables)
      try {
        await this.#run(renderTable(ruleset));
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        refusals.set(ruleset.table, error);
      }
  }
}
