import { setImmediate } from 'node:timers/promises';
import { DabbaError, isDabbaError, messageOf } from '#base';
import { run } from '#kernel';
import { renderChange, renderRemoval, renderTable } from '../rules/ruleset.ts';
import type { Ruleset } from '../rules/ruleset.ts';

/** Runs nft commands as one transaction, in the namespace mounted at `namespace` or else in the machine's own; resolves to its output. */
export type RunNft = (script: string, namespace?: string) => Promise<string>;

/** Spawns `nft -f -`. Throws `Unavailable` with nft's first complaint. */
export const runNft: RunNft = async (script, namespace) => {
  const nft = ['nft', '-f', '-'];
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

/**
 * Keeps the tables of one namespace as they should be. Every `refresh` of one turn of the event loop shares one nft run, as do all that come
 * while a run is under way; each resolves when the rules that were due when it was called are in force.
 */
export class AppliedRulesets {
  readonly #due: () => DueTables;
  readonly #run: (script: string) => Promise<unknown>;
  /** Tables that the kernel may have. */
  readonly #present = new Set<string>();
  /** What they are; unknown at first and after a failure, when whole tables are replaced. */
  #applied = new Map<string, Ruleset>();
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(due: () => DueTables, run: (script: string) => Promise<unknown>) {
    this.#due = due;
    this.#run = run;
  }

  refresh(): Promise<void> {
    return (this.#next ??= this.#afterCurrent());
  }

  async #afterCurrent(): Promise<void> {
    await Promise.allSettled([this.#current, setImmediate()]);
    this.#current = this.#next ?? Promise.resolve();
    this.#next = undefined;
    const { tables, untouched = [] } = this.#due();
    const kept = new Set([...tables.map(({ table }) => table), ...untouched]);
    const gone = [...this.#present].filter((table) => !kept.has(table));
    for (const table of kept) this.#present.add(table);
    const before = this.#applied;
    const script = [
      ...gone.map(renderRemoval),
      ...tables.map((wanted) => {
        const known = before.get(wanted.table);
        return known ? renderChange(known, wanted) : renderTable(wanted);
      }),
    ].join('');
    if (script === '') return;
    this.#applied = new Map();
    await this.#run(script).catch(async (error: unknown) => {
      // The kernel may hold something else than we think, when somebody changed a table by hand; replacing them whole mends that.
      if (before.size === 0) throw error;
      await this.#run([...gone.map(renderRemoval), ...tables.map(renderTable)].join(''));
    });
    for (const table of gone) this.#present.delete(table);
    this.#applied = new Map(tables.map((ruleset) => [ruleset.table, ruleset]));
  }
}
