import { DabbaError, isDiskFull, messageOf } from '#base';
import { UpperWriter, type CopyLook } from './copy-tree.ts';
import { writeDifference } from './difference.ts';
import { digestSources, type Source } from './tree.ts';

/** Work on whole trees, as plain data. */
export type TreeJob =
  | { readonly kind: 'digest'; readonly sources: readonly Source[]; readonly hasOwners: boolean }
  | CopyJob
  | MergeJob;

/** Everything one COPY writes. Destinations are resolved, relative to the root of the image. */
export interface CopyJob {
  readonly kind: 'copy';
  readonly upper: string;
  /** A view of the image beneath. */
  readonly view: string;
  readonly look: CopyLook;
  readonly directories: readonly string[];
  readonly copies: readonly { readonly source: Source; readonly destination: string }[];
  readonly texts: readonly { readonly text: string; readonly destination: string }[];
}

/** Writes what tells one tree from another beneath it. */
export interface MergeJob {
  readonly kind: 'merge';
  readonly upper: string;
  /** The tree beneath. */
  readonly view: string;
  /** The tree that is wanted. */
  readonly wanted: string;
}

/** Does the work, here and now. Throws `ResourceExhausted` when the disk is full. */
export function runTreeJob(job: TreeJob): string | undefined {
  if (job.kind === 'digest') return digestSources(job.sources, job.hasOwners);
  try {
    if (job.kind === 'merge') writeDifference(job);
    else writeAll(job);
    return undefined;
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new DabbaError('ResourceExhausted', `the disk is full: ${messageOf(error)}`, { cause: error });
  }
}

function writeAll({ upper, view, look, directories, copies, texts }: CopyJob): void {
  const writer = new UpperWriter(upper, view, look);
  for (const directory of directories) writer.makeDirectory(directory);
  for (const { source, destination } of copies) writer.copy(source, destination);
  for (const { text, destination } of texts) writer.writeText(destination, text);
  writer.finish();
}
