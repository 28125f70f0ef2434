import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../command.ts';
import { findOnPath, run } from '../programs.ts';
import { SHELL_PATH, type Recipe } from './recipe.ts';

/** Where this machine's packages come from. */
export interface PackageSource {
  readonly uri: string;
  readonly suite: string;
}

/** Beside the minimal system: certificates, which every TLS client misses, and the library that Node's own builds are linked with. */
const packages = ['ca-certificates', 'libatomic1'] as const;

/** Debian's minimal system from the package sources that this machine itself uses. */
export const debian: Recipe = {
  name: 'debian',
  tags: ['latest', 'stable', 'bookworm', 'bookworm-slim', '12', '12-slim'],
  config: { Cmd: ['bash'], Env: [SHELL_PATH] },
  comment: 'Debian from debootstrap, variant minbase',
  async fill(root, report) {
    if (!findOnPath('debootstrap')) throw new UsageError('debootstrap is missing', 'apt-get install -y debootstrap');
    const { uri, suite } = packageSource();
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const trust = existsSync(keyring) ? [`--keyring=${keyring}`] : [];
    await run(
      'debootstrap',
      ['--variant=minbase', ...trust, `--include=${packages.join(',')}`, suite, root, uri],
      (line) => {
        if (line.startsWith('I: ')) report(line.slice(3));
      },
    );
    slim(root);
    writeFileSync(join(root, 'etc/apt/sources.list'), sourcesList(uri, suite));
  },
};

/** The first Debian archive that apt on this machine is configured with. Throws `UsageError` when there is none. */
export function packageSource(directory = '/etc/apt'): PackageSource {
  const files = [
    'sources.list',
    ...listDirectory(join(directory, 'sources.list.d')).map((name) => `sources.list.d/${name}`),
  ];
  const sources = files.flatMap((file) => {
    const text = readOrEmpty(join(directory, file));
    return file.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text);
  });
  const archive = sources.find(
    ({ uri, suite }) => /\/debian\/?$/.test(uri) && !/[-/](updates|security|backports)$/.test(suite),
  );
  if (!archive)
    throw new UsageError(
      'apt on this machine knows no Debian archive to build a base image from',
      'add a "deb <uri of a Debian mirror> <suite> main" line to /etc/apt/sources.list',
    );
  return archive;
}

/** Sources in one-line form: `deb [options] uri suite component…` (sources.list(5)). */
function parseOneLine(text: string): PackageSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s/.exec(line.trim());
    return match ? [{ uri: match[1]!, suite: match[2]! }] : [];
  });
}

/** Sources in deb822 form: paragraphs with `Types`, `URIs`, `Suites` (sources.list(5)). */
function parseDeb822(text: string): PackageSource[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string) =>
      new RegExp(`^${name}:\\s*(.+)$`, 'mi').exec(paragraph)?.[1]?.trim().split(/\s+/) ?? [];
    if (!field('Types').includes('deb')) return [];
    return field('URIs').flatMap((uri) => field('Suites').map((suite) => ({ uri, suite })));
  });
}

/** The archive, its updates and its security updates, where a program in the image finds them as this machine does. */
function sourcesList(uri: string, suite: string): string {
  const root = uri.replace(/\/$/, '');
  return `deb ${root} ${suite} main\ndeb ${root} ${suite}-updates main\ndeb ${root}-security ${suite}-security main\n`;
}

/** Leaves out what a container never reads and what differs from one run to the next. */
function slim(root: string): void {
  const emptied = [
    'var/cache/apt/archives',
    'var/lib/apt/lists',
    'var/log',
    'usr/share/doc',
    'usr/share/man',
    'usr/share/locale',
    'usr/share/info',
  ];
  for (const directory of emptied)
    for (const entry of listDirectory(join(root, directory)))
      rmSync(join(root, directory, entry), { recursive: true, force: true });
  for (const file of ['var/cache/ldconfig/aux-cache', 'etc/machine-id', 'etc/hostname', 'etc/resolv.conf'])
    rmSync(join(root, file), { force: true });
}

function listDirectory(path: string): string[] {
  return existsSync(path) ? readdirSync(path).sort() : [];
}

function readOrEmpty(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
