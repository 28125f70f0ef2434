import { createReadStream } from 'node:fs';
import { basename, isAbsolute, join, normalize } from 'node:path';
import type { Layer } from '../image/internals.ts';
import { isArchive } from './archive.ts';
import { resolveBeneath, statOf } from './beneath.ts';
import { timeOf, timestampOf, type BuildRun } from './build-run.ts';
import { stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';
import { findSources, type FoundSource } from './copy-sources.ts';
import { fetchSource, isRemote } from './fetch.ts';
import { heredocText } from './lines.ts';
import { parseMode, type ModeChange } from './mode.ts';
import { ownerOf } from './owner.ts';
import { scopeOf, type StageState } from './state.ts';
import { workOnTrees } from './trees.ts';
import { expand, expandText, type WordScope } from './words.ts';

type Copy = InstructionOf<'COPY' | 'ADD'>;

/** A COPY or ADD with its words expanded and its sources found. */
export interface CopyStep extends AsyncDisposable {
  readonly copy: Copy;
  readonly sources: readonly FoundSource[];
  readonly inline: readonly { readonly name: string; readonly text: string }[];
  /** Absolute; ends with `/` when it must be a directory. */
  readonly destination: string;
  readonly owner?: string;
  readonly mode?: ModeChange;
  /** Everything that decides the layer. */
  readonly digest: string;
  /** As the history shows it. */
  readonly display: string;
}

/** Finds what is to be copied and digests it. The step holds the stage it copies from open until disposed. */
export async function prepareCopy(build: BuildRun, state: StageState, copy: Copy): Promise<CopyStep> {
  const scope = scopeOf(state, build.plan.escape);
  await using opened = new AsyncDisposableStack();
  const isFromContext = copy.from === undefined;
  const root = isFromContext ? build.context.root : opened.use(await build.openSource(copy.at, copy.from)).path;
  const sources: FoundSource[] = [];
  for (const text of copy.sources.map((source) => expand(source, scope)))
    if (copy.kind === 'ADD' && isRemote(text)) sources.push(await fetchSource(build, copy, text, opened));
    else sources.push(...findSources(build, copy, root, text));
  if (copy.checksum !== undefined && !sources.some(({ isFetched }) => isFetched))
    throw stepFault('InvalidArgument', copy.at, 'ADD --checksum is for URLs and repositories; leave it out');
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
    digest: JSON.stringify([copy.kind, contents, inline, destination, owner, mode, isFromContext, ...optionsOf(copy)]),
    display: displayOf(copy, scope, destination),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Docker's rule: relative to the working directory; `.` and a trailing slash mean a directory, as do several sources. */
function destinationOf(copy: Copy, state: StageState, text: string, sourceCount: number): string {
  if (text === '') throw stepFault('InvalidArgument', copy.at, `${copy.kind}: the destination is empty`);
  const isDirectory = copy.isParentsKept || text.endsWith('/') || ['.', '..'].includes(basename(text));
  if (sourceCount > 1 && !isDirectory)
    throw stepFault(
      'InvalidArgument',
      copy.at,
      `When using ${copy.kind} with more than one source file, the destination must be a directory and end with a /`,
    );
  const path = isAbsolute(text) ? normalize(text) : join('/', state.config.WorkingDir ?? '/', text);
  return isDirectory && !path.endsWith('/') ? `${path}/` : path;
}

function readMode(copy: Copy, text: string): ModeChange {
  const mode = parseMode(text);
  if (mode === undefined)
    throw stepFault(
      'InvalidArgument',
      copy.at,
      `${copy.kind} --chmod=${text} is no mode: write it as 0755 or as u=rwX,go=rX`,
    );
  return mode;
}

/** Flags that decide the layer, beyond what is copied. Empty without them, so that the keys of older caches still hold. */
function optionsOf({ isLinked, isUnpacked, isParentsKept }: Copy): readonly unknown[] {
  return isLinked || isUnpacked !== undefined || isParentsKept ? [{ isLinked, isUnpacked, isParentsKept }] : [];
}

function displayOf(copy: Copy, scope: WordScope, destination: string): string {
  const names = [...copy.sources.map((source) => expand(source, scope)), ...copy.inline.map(({ name }) => `<<${name}`)];
  return `${copy.kind} ${[...names, destination].join(' ')} # buildkit`;
}

/** Writes the layer: beside the image's files, not in a container. */
export async function executeCopy(build: BuildRun, state: StageState, step: CopyStep): Promise<Layer> {
  const { internals } = build.parts;
  const { snapshots } = internals;
  await using image = await snapshots.openView(state.chainId);
  await using cleanup = new AsyncDisposableStack();
  // A linked layer is made as if nothing were beneath it.
  const view = step.copy.isLinked ? cleanup.use(await snapshots.openView(undefined)) : image;
  const upper = await snapshots.makeTemporary();
  cleanup.defer(() => snapshots.discard(upper));
  const owner = step.owner === undefined ? undefined : ownerOf(image.path, step.owner, step.copy.at);
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
  const isUnpacked = (source: FoundSource) =>
    step.copy.kind === 'ADD' &&
    (step.copy.isUnpacked ?? !source.isFetched) &&
    isArchive(join(source.root, source.path));
  const placeOf = (source: FoundSource) => {
    if (source.parents !== undefined) return [resolved, source.parents].filter(Boolean).join('/');
    return isTree(source) ? resolved : inside(source.name);
  };
  const archives = step.sources.filter(isUnpacked);
  const copies = step.sources
    .filter((source) => !archives.includes(source))
    .map((source) => ({ source, destination: placeOf(source) }));
  const texts = step.inline.map(({ name, text }) => ({ text, destination: inside(name) }));
  const { signal } = build.request;
  const directories = archives.length > 0 ? [resolved] : [];
  await workOnTrees({ kind: 'copy', upper, view: view.path, look, directories, copies, texts }, signal);
  for (const archive of archives) await extract(build, join(archive.root, archive.path), upper, resolved);
  return await internals.commitUpper({ parent: state.chainId, upper, ...timestampOf(build), signal });
}

const isTree = ({ root, path }: FoundSource) => statOf(join(root, path))?.isDirectory() === true;

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
