import { setImmediate } from 'node:timers/promises';
import { DabbaError, isDabbaError, messageOf } from '#base';
import { run } from '#kernel';
import { renderChange, renderTable } from '../rules/ruleset.ts';
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

/**
 * Keeps one table of one namespace as it should be. Every `refresh` of one turn of the event loop shares one nft run, as do all that come
 * while a run is under way; each resolves when the rules that were due when it was called are in force.
 */
export class AppliedRuleset {
  readonly #wanted: () => Ruleset;
  readonly #run: (script: string) => Promise<unknown>;
  /** What the kernel has; unknown at first and after a failure, when the whole table is replaced. */
  #applied: Ruleset | undefined;
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(wanted: () => Ruleset, run: (script: string) => Promise<unknown>) {
    this.#wanted = wanted;
    this.#run = run;
  }

  refresh(): Promise<void> {
    return (this.#next ??= this.#afterCurrent());
  }

  async #afterCurrent(): Promise<void> {
    await Promise.allSettled([this.#current, setImmediate()]);
    this.#current = this.#next ?? Promise.resolve();
    this.#next = undefined;
    const wanted = this.#wanted();
    const before = this.#applied;
    const script = before ? renderChange(before, wanted) : renderTable(wanted);
    if (script === '') return;
    this.#applied = undefined;
    await this.#run(script).catch(async (error: unknown) => {
      // The kernel may hold something else than we think, when somebody changed the table by hand; replacing it whole mends that.
      if (!before) throw error;
      await this.#run(renderTable(wanted));
    });
    this.#applied = wanted;
  }
}
