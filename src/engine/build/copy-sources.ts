import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { resolveBeneath, statOf } from './beneath.ts';
import type { BuildRun } from './build-run.ts';
import { stepFault } from './fault.ts';
import { globExpression } from './ignore.ts';
import type { InstructionOf } from './instruction.ts';
import type { Source } from './tree.ts';
import { hasEntries } from './trees.ts';

/** A source of COPY or ADD, found. */
export interface FoundSource extends Source {
  /** With `--parents`: its path below the destination. */
  readonly parents?: string;
  /** It came from elsewhere, so it stays packed. */
  readonly isFetched?: boolean;
}

/** The files a source names: by path, or by a pattern for each of its names. Throws `InvalidArgument` when there are none. */
export function findSources(
  build: BuildRun,
  copy: InstructionOf<'COPY' | 'ADD'>,
  root: string,
  text: string,
): FoundSource[] {
  const ignore = copy.from === undefined ? { ignore: build.context.ignoreText } : {};
  const paths = /[*?[]/.test(text) ? matchingPaths(root, text, copy.isParentsKept) : [resolveBeneath(root, text)];
  const sources = paths.flatMap((path): FoundSource[] => {
    const stat = path === '' ? undefined : statOf(join(root, path));
    if (path !== '' && !stat) return [];
    const parents = copy.isParentsKept ? { parents: behindPivot(path, text) } : {};
    // A directory stands for what is in it; anything else is called by its name.
    const excludeBase = parents.parents ?? (stat && !stat.isDirectory() ? basename(path) : '');
    const exclude = copy.excludes.length === 0 ? {} : { exclude: copy.excludes.join('\n'), excludeBase };
    const source = { root, path, name: basename(path), ...ignore, ...exclude, ...parents };
    return hasEntries(source) ? [source] : [];
  });
  if (sources.length > 0 || isAllExcluded(copy, root, paths)) return sources;
  const place = copy.from === undefined ? 'build context or excluded by .dockerignore' : `"${copy.from}"`;
  throw stepFault(
    'InvalidArgument',
    copy.at,
    `${copy.kind} failed: file not found in ${place}: stat ${text}: file does not exist`,
  );
}

/** That `--exclude` leaves nothing of what is there is no fault. */
const isAllExcluded = ({ excludes }: InstructionOf<'COPY' | 'ADD'>, root: string, paths: readonly string[]) =>
  excludes.length > 0 && paths.some((path) => statOf(join(root, path)));

/** What of a path is kept below the destination: all of it, or what stands behind a `/./` in the source. */
function behindPivot(path: string, text: string): string {
  const written = text.replace(/^(?:\.?\/)+/, '');
  const pivot = written.indexOf('/./');
  const depth = pivot < 0 ? 0 : written.slice(0, pivot).split('/').filter(isName).length;
  return path.split('/').slice(depth).join('/');
}

const isName = (part: string) => part !== '' && part !== '.';

/**
 * Expands a pattern name by name, as Go's `filepath.Match` reads it, so that no part of a tree is walked in vain. With `--parents` the name
 * `**` stands for any number of directories.
 */
function matchingPaths(root: string, pattern: string, isDeep: boolean): string[] {
  let paths = [''];
  for (const part of pattern.split('/').filter(isName)) {
    if (isDeep && part === '**') {
      paths = [...new Set(paths.flatMap((path) => directoriesBeneath(root, path)))];
      continue;
    }
    const expression = globExpression(part.replaceAll(/\*+/g, '*'));
    paths = paths.flatMap((path) =>
      listNames(root, path)
        .filter((name) => expression.test(name))
        .map((name) => resolveBeneath(root, `${path}/${name}`)),
    );
  }
  return paths;
}

function directoriesBeneath(root: string, path: string): string[] {
  if (!statOf(join(root, path))?.isDirectory()) return [];
  const inner = readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => directoriesBeneath(root, path === '' ? name : `${path}/${name}`));
  return [path, ...inner];
}

function listNames(root: string, path: string): string[] {
  if (!statOf(join(root, path))?.isDirectory()) return [];
  return readdirSync(join(root, path)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
