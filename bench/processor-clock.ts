import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const onVersion1 = '/sys/fs/cgroup/cpuacct';
const root = existsSync(join(onVersion1, 'cpuacct.usage')) ? onVersion1 : '/sys/fs/cgroup';

/** Milliseconds of processor time that a cgroup and those beneath it have used, ended processes included; 0 when there is none. */
function usedMs(group: string): number {
  const directory = join(root, group);
  if (!existsSync(directory)) return 0;
  if (root === onVersion1) return Number(readFileSync(join(directory, 'cpuacct.usage'), 'utf8')) / 1e6;
  return Number(/^usage_usec (\d+)/m.exec(readFileSync(join(directory, 'cpu.stat'), 'utf8'))![1]) / 1e3;
}

/** How much processor time this process, all that it starts from now on, and what runs in `others` have used. */
export class ProcessorClock implements Disposable {
  readonly #own = `bench-${process.pid}`;
  readonly #others: readonly string[];

  constructor(...others: readonly string[]) {
    this.#others = others;
    mkdirSync(join(root, this.#own));
    writeFileSync(join(root, this.#own, 'cgroup.procs'), String(process.pid));
  }

  ms(): number {
    return [this.#own, ...this.#others].reduce((sum, group) => sum + usedMs(group), 0);
  }

  /** What it started must have ended. */
  [Symbol.dispose](): void {
    writeFileSync(join(root, 'cgroup.procs'), String(process.pid));
    rmdirSync(join(root, this.#own));
  }
}
