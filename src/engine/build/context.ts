import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError } from '#base';
import type { BuildRequest } from '../engine.ts';
import { resolveBeneath, statOf } from './beneath.ts';
import { parseIgnoreRules } from './ignore.ts';
import type { BuilderParts } from './ports.ts';

/** The unpacked context of one build. */
export interface BuildContext extends AsyncDisposable {
  readonly root: string;
  /** Text of the `.dockerignore`, known to be well-formed. */
  readonly ignoreText: string;
  /** Path and text of the Dockerfile. */
  readonly dockerfile: { readonly path: string; readonly text: string };
}

/** Unpacks the context into a directory of the builder's and finds the Dockerfile. The `.dockerignore` beside it wins over the general one. */
export async function openContext(parts: BuilderParts, request: BuildRequest): Promise<BuildContext> {
  await using cleanup = new AsyncDisposableStack();
  const root = await parts.internals.snapshots.makeTemporary();
  cleanup.defer(() => parts.internals.snapshots.discard(root));
  await parts.archives.unpack({ source: request.context, root, form: 'archive', signal: request.signal });
  const path = request.dockerfile ?? 'Dockerfile';
  const text = readText(root, path);
  if (text === undefined) throw new DabbaError('InvalidArgument', `Cannot locate specified Dockerfile: ${path}`);
  const ignoreText = readText(root, `${path}.dockerignore`) ?? readText(root, '.dockerignore') ?? '';
  parseIgnoreRules(ignoreText);
  const owned = cleanup.move();
  return {
    root,
    ignoreText,
    dockerfile: { path, text },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Larger files are no Dockerfile. */
const limitBytes = 4 << 20;

function readText(root: string, path: string): string | undefined {
  const full = join(root, resolveBeneath(root, path));
  const stat = statOf(full);
  if (!stat?.isFile()) return undefined;
  if (stat.size > limitBytes) throw new DabbaError('InvalidArgument', `${path} is larger than ${limitBytes} bytes`);
  return readFileSync(full, 'utf8');
}
