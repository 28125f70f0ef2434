import { DabbaError } from '#base';

/** The revision asked for has been compacted; `compactRevision` is the oldest that can still be read. */
export class CompactedError extends DabbaError {
  readonly revision: number;
  readonly compactRevision: number;
  constructor(revision: number, compactRevision: number) {
    super('FailedPrecondition', `revision ${revision} has been compacted; the oldest kept is ${compactRevision}`);
    this.name = 'CompactedError';
    this.revision = revision;
    this.compactRevision = compactRevision;
  }
}

/** The revision asked for lies in the future. */
export class FutureRevisionError extends DabbaError {
  readonly revision: number;
  readonly currentRevision: number;
  constructor(revision: number, currentRevision: number) {
    super('FailedPrecondition', `revision ${revision} is in the future; the store is at ${currentRevision}`);
    this.name = 'FutureRevisionError';
    this.revision = revision;
    this.currentRevision = currentRevision;
  }
}
