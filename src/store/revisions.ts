import { DabbaError } from '#base';
import { CompactedError, FutureRevisionError } from './errors.ts';

/** The span of revisions that can be read: from `compactRevision` to `revision`. */
export interface RevisionSpan {
  readonly revision: number;
  readonly compactRevision: number;
}

/** Throws unless the state at `wanted` can be read. */
export function checkReadable(wanted: number, span: RevisionSpan): void {
  checkRevision(wanted);
  if (wanted > span.revision) throw new FutureRevisionError(wanted, span.revision);
  if (wanted < span.compactRevision) throw new CompactedError(wanted, span.compactRevision);
}

/** Throws unless a watch can start with `wanted`: a kept revision, or the one that comes next. */
export function checkWatchable(wanted: number, span: RevisionSpan): void {
  checkRevision(wanted);
  if (wanted > span.revision + 1) throw new FutureRevisionError(wanted, span.revision);
  if (wanted < span.compactRevision) throw new CompactedError(wanted, span.compactRevision);
}

function checkRevision(wanted: number): void {
  if (!Number.isSafeInteger(wanted) || wanted < 1) throw new DabbaError('InvalidArgument', `${wanted} is no revision`);
}
