import { computeCoverage } from '#daemon';
import { flag, type Command } from './command.ts';

export const coverage: Command = {
  summary: 'what works: operations of each service that answer, computed from the models',
  usage: '[SERVICE] [--json]',
  options: {},
  async run(invocation) {
    const table = await computeCoverage();
    const [only] = invocation.positionals;
    const rows = only === undefined ? table : table.filter(({ service }) => service === only);
    if (flag(invocation, 'json')) process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
    else
      for (const { service, supported, missing } of rows) {
        const total = supported.length + missing.length;
        process.stdout.write(
          `${service.padEnd(20)} ${String(supported.length).padStart(4)} of ${String(total).padStart(4)}  ${((100 * supported.length) / total).toFixed(0).padStart(3)} %\n`,
        );
        if (only !== undefined)
          process.stdout.write(`  works:   ${supported.join(', ')}\n  missing: ${missing.join(', ')}\n`);
      }
    return 0;
  },
};
