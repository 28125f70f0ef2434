import { DabbaError } from '#base';
import { run } from '#kernel';

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

/** `ps` of this machine with the given arguments (default `-ef`), cut down to these pids, as Docker does it. */
export async function listProcesses(pids: readonly number[], psArguments: readonly string[]): Promise<ProcessTable> {
  const args = psArguments.length ? psArguments : ['-ef'];
  const { status, stdout, stderr } = await run('ps', args);
  if (status.kind !== 'exited' || status.code !== 0)
    throw new DabbaError('InvalidArgument', `ps ${args.join(' ')}: ${stderr.trim() || 'failed'}`);
  return selectProcesses(stdout.toString(), new Set(pids));
}

/** The lines of ps output whose PID column is among `pids`. The last column takes the rest of its line. */
export function selectProcesses(text: string, pids: ReadonlySet<number>): ProcessTable {
  const [header = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw new DabbaError('InvalidArgument', "Couldn't find PID field in ps output");
  const processes = lines
    .map((line) => splitColumns(line, titles.length))
    .filter((fields) => pids.has(Number(fields[pidColumn])));
  return { titles, processes };
}

function splitColumns(line: string, count: number): readonly string[] {
  const fields = line.trim().split(/\s+/);
  return [...fields.slice(0, count - 1), fields.slice(count - 1).join(' ')];
}
