/**
 * The coverage in README.md, computed from the services' models, our handlers, and the ledger of Kubernetes conformance.
 *   node scripts/readme-coverage.ts          writes it
 * `test/guards/coverage.test.ts` fails while the page says something else.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { computeCoverage } from '#daemon';
import { conformanceNames, ledger } from '../test/kubernetes/ledger.ts';

const readme = new URL('../README.md', import.meta.url);
const [start, end] = ['<!-- coverage: node scripts/readme-coverage.ts -->', '<!-- /coverage -->'] as const;

/** The page as it stands, and as it would stand with a table computed now. */
export async function readmeWithCoverage(): Promise<{ readonly current: string; readonly computed: string }> {
  const current = readFileSync(readme, 'utf8');
  const [before, rest] = current.split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`README.md lacks ${start} … ${end}`);
  const rows = (await computeCoverage()).map(({ service, supported, missing }) => {
    const total = supported.length + missing.length;
    return `| ${service} | ${supported.length} | ${total} |`;
  });
  const table = ['| service | operations that answer | of |', '|---|---:|---:|', ...rows].join('\n');
  const kubernetes = `Kubernetes: of the ${conformanceNames().length} names of upstream's conformance tests, tests of ours cover ${ledger().length}, and all of these pass (\`test/kubernetes/ledger.ts\`).`;
  return { current, computed: `${before}${start}\n\n${table}\n\n${kubernetes}\n\n${end}${after}` };
}

if (import.meta.main) writeFileSync(readme, (await readmeWithCoverage()).computed);
