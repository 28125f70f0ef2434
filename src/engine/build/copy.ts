import { createReadStream, readdirSync } from 'node:fs';
import { basename, isAbsolute, join, normalize } from 'node:path';
import type { Layer } from '../image/internals.ts';
import { isArchive } from './archive.ts';
import { resolveBeneath, statOf } from './beneath.ts';
import { timeOf, timestampOf, type BuildRun } from './build-run.ts';
import { stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';
import { globExpression } from './ignore.ts';
import { heredocText } from './lines.ts';
import { ownerOf } from './owner.ts';
import { scopeOf, type StageState } from './state.ts';
import type { Source } from './tree.ts';
import { hasEntries, workOnTrees } from './trees.ts';
import { expand, expandText, type WordScope } from './words.ts';

type Copy = InstructionOf<'COPY' | 'ADD'>;

/** A COPY or ADD with its words expanded and its sources found. */
export interface CopyStep extends AsyncDisposable {
  readonly copy: Copy;
  readonly sources: readonly Source[];
  readonly inline: readonly { readonly name: string; readonly text: string }[];
  /** Absolute; ends with `/` when it must be a directory. */
  readonly destination: string;
  readonly owner?: string;
  readonly mode?: number;
  /** Everything that decides the layer. */
  readonly digest: string;
  /** As the history shows it. */
  readonly display: string;
}

/** Finds what is to be copied and digests it. The step holds the stage it copies from open until disposed. */
export async function prepareCopy(build: BuildRun, state: StageState, copy: Copy): Promise<CopyStep> {
  const scope = scopeOf(state, build.plan.escape);
  refuseMissing(copy);
  await using opened = new AsyncDisposableStack();
  const isFromContext = copy.from === undefined;
  const root = isFromContext ? build.context.root : opened.use(await build.openSource(copy.at, copy.from)).path;
  const sources = copy.sources.flatMap((text) => findSources(build, copy, root, expand(text, scope)));
  const inline = copy.inline.map((heredoc) => ({
    name: heredoc.name,
    text: heredoc.isExpanded ? expandText(heredocText(heredoc), scope) : heredocText(heredoc),
  }));
  const destination = destinationOf(copy, state, expand(copy.destination, scope), sources.length + inline.length);
  const owner = copy.owner === undefined ? {} : { owner: expand(copy.owner, scope) };
  const mode = copy.mode === undefined ? {} : { mode: readMode(copy, expand(copy.mode, scope)) };
  const contents = await workOnTrees({ kind: 'digest', sources, hasOwners: !isFromContext }, build.request.signal);
  const held = opened.move();
  return {
    copy,
    sources,
    inline,
    destination,
    ...owner,
    ...mode,
    digest: JSON.stringify([copy.kind, contents, inline, destination, owner, mode, isFromContext]),
    display: displayOf(copy, scope, destination),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

function refuseMissing(copy: Copy): void {
  if (copy.isParentsKept) throw stepFault('Unimplemented', copy.at, `${copy.kind} --parents is not supported yet`);
  if (copy.excludes.length > 0)
    throw stepFault('Unimplemented', copy.at, `${copy.kind} --exclude is not supported yet`);
  if (copy.kind !== 'ADD') return;
  const remote = copy.sources.find((source) => /^(?:https?:\/\/|git@|git:\/\/|ssh:\/\/)/.test(source));
  if (remote !== undefined)
    throw stepFault('Unimplemented', copy.at, `ADD ${remote}: remote sources are not supported yet; fetch it in a RUN`);
}

/** The files a source names: by path, or by a pattern for each of its names. */
function findSources(build: BuildRun, copy: Copy, root: string, text: string): Source[] {
  const ignore = copy.from === undefined ? build.context.ignoreText : undefined;
  const paths = /[*?[]/.test(text) ? matchingPaths(root, text) : [resolveBeneath(root, text)];
  const sources = paths.flatMap((path): Source[] => {
    if (path !== '' && !statOf(join(root, path))) return [];
    const source = { root, path, name: basename(path), ...(ignore === undefined ? {} : { ignore }) };
    return hasEntries(source) ? [source] : [];
  });
  if (sources.length > 0) return sources;
  const place = copy.from === undefined ? 'build context or excluded by .dockerignore' : `"${copy.from}"`;
  throw stepFault(
    'InvalidArgument',
    copy.at,
    `${copy.kind} failed: file not found in ${place}: stat ${text}: file does not exist`,
  );
}

/** Expands a pattern name by name, as Go's `filepath.Match` reads it, so that no part of a tree is walked in vain. */
function matchingPaths(root: string, pattern: string): string[] {
  let paths = [''];
  for (const part of pattern.split('/').filter((part) => part !== '' && part !== '.')) {
    const expression = globExpression(part.replaceAll(/\*+/g, '*'));
    paths = paths.flatMap((path) =>
      listNames(root, path)
        .filter((name) => expression.test(name))
        .map((name) => resolveBeneath(root, `${path}/${name}`)),
    );
  }
  return paths;
}

function listNames(root: string, path: string): string[] {
  if (!statOf(join(root, path))?.isDirectory()) return [];
  return readdirSync(join(root, path)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Docker's rule: relative to the working directory; `.` and a trailing slash mean a directory, as do several sources. */
function destinationOf(copy: Copy, state: StageState, text: string, sourceCount: number): string {
  if (text === '') throw stepFault('InvalidArgument', copy.at, `${copy.kind}: the destination is empty`);
  const isDirectory = text.endsWith('/') || ['.', '..'].includes(basename(text));
  if (sourceCount > 1 && !isDirectory)
    throw stepFault(
      'InvalidArgument',
      copy.at,
      `When using ${copy.kind} with more than one source file, the destination must be a directory and end with a /`,
    );
  const path = isAbsolute(text) ? normalize(text) : join('/', state.config.WorkingDir ?? '/', text);
  return isDirectory && !path.endsWith('/') ? `${path}/` : path;
}

function readMode(copy: Copy, text: string): number {
  if (!/^[0-7]{3,5}$/.test(text))
    throw stepFault(
      'InvalidArgument',
      copy.at,
      `${copy.kind} --chmod=${text}: only octal modes such as 0755 are supported`,
    );
  return Number.parseInt(text, 8);
}

function displayOf(copy: Copy, scope: WordScope, destination: string): string {
  const names = [...copy.sources.map((source) => expand(source, scope)), ...copy.inline.map(({ name }) => `<<${name}`)];
  return `${copy.kind} ${[...names, destination].join(' ')} # buildkit`;
}

/** Writes the layer: beside the image's files, not in a container. */
export async function executeCopy(build: BuildRun, state: StageState, step: CopyStep): Promise<Layer> {
  const { internals } = build.parts;
  const { snapshots } = internals;
  await using view = await snapshots.openView(state.chainId);
  await using cleanup = new AsyncDisposableStack();
  const upper = await snapshots.makeTemporary();
  cleanup.defer(() => snapshots.discard(upper));
  const owner = step.owner === undefined ? undefined : ownerOf(view.path, step.owner, step.copy.at);
  const look = {
    madeAtNs: BigInt(timeOf(build)) * 1_000_000n,
    // Files of the context belong to root; those of another stage stay whose they were.
    ...(owner ? { owner } : step.copy.from === undefined ? { owner: { uid: 0, gid: 0 } } : {}),
    ...(step.mode === undefined ? {} : { mode: step.mode }),
  };
  const resolved = resolveBeneath(view.path, step.destination);
  const existing = statOf(join(view.path, resolved));
  const isDirectory = step.destination.endsWith('/') || existing?.isDirectory() === true;
  if (isDirectory && existing && !existing.isDirectory())
    throw stepFault('InvalidArgument', step.copy.at, `cannot copy to non-directory: ${step.destination}`);
  const inside = (name: string) => (isDirectory ? [resolved, name].filter(Boolean).join('/') : resolved);
  const isUnpacked = (source: Source) => step.copy.kind === 'ADD' && isArchive(join(source.root, source.path));
  const archives = step.sources.filter(isUnpacked);
  const copies = step.sources
    .filter((source) => !archives.includes(source))
    .map((source) => ({ source, destination: isTree(source) ? resolved : inside(source.name) }));
  const texts = step.inline.map(({ name, text }) => ({ text, destination: inside(name) }));
  const { signal } = build.request;
  const directories = archives.length > 0 ? [resolved] : [];
  await workOnTrees({ kind: 'copy', upper, view: view.path, look, directories, copies, texts }, signal);
  for (const archive of archives) await extract(build, join(archive.root, archive.path), upper, resolved);
  return await internals.commitUpper({ parent: state.chainId, upper, ...timestampOf(build), signal });
}

const isTree = ({ root, path }: Source) => statOf(join(root, path))?.isDirectory() === true;

async function extract(build: BuildRun, archive: string, upper: string, directory: string): Promise<void> {
  const { signal } = build.request;
  await build.parts.archives.unpack({
    source: createReadStream(archive),
    root: upper,
    directory: `/${directory}`,
    form: 'archive',
    signal,
  });
}
