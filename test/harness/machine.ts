import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What exists on this machine that a daemon could leave behind, one line each, sorted. */
export function machineTraces(): string[] {
  const lines = (program: string, args: readonly string[]) =>
    execFileSync(program, args, { encoding: 'utf8' }).split('\n').filter(Boolean);
  const links = lines('ip', ['-o', 'link', 'show']).map((line) => `link ${line.split(':')[1]!.split('@')[0]!.trim()}`);
  const routes = lines('ip', ['route', 'show', 'table', 'all']).map(
    (line) => `route ${line.replace(/ *expires.*/, '').trim()}`,
  );
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => `mount ${line.split(' ')[4]}`);
  const tables = lines('nft', ['list', 'tables']).map((line) => `nft ${line}`);
  const cgroups = readFileSync('/proc/cgroups', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [name, , count] = line.split('\t');
      return name === 'pids' || name === 'freezer' ? [`cgroups of ${name}: ${count}`] : [];
    });
  return [...links, ...routes, ...mounts, ...tables, ...cgroups].sort();
}

/** Lines of `after` that `before` had not. */
export function newTraces(before: readonly string[], after: readonly string[]): string[] {
  const known = new Map<string, number>();
  for (const line of before) known.set(line, (known.get(line) ?? 0) + 1);
  return after.filter((line) => {
    const count = known.get(line) ?? 0;
    known.set(line, count - 1);
    return count <= 0;
  });
}

/** How many times longer than expected a loaded machine of two cores may take. It bounds a hang and nothing else. */
const patience = 4;

/** Waits until `condition` holds, looking again as it takes time to; fails with `what` once that takes far longer than the `expectedMs` in which it holds at the latest on a calm machine. */
export async function eventually(
  what: string,
  expectedMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const timeoutMs = patience * expectedMs;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(100); // clients are asked again; they announce nothing
  }
}
