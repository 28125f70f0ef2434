import { DabbaError, type ErrorKind } from '#base';

/** Where in a Dockerfile an instruction stands: lines count from 1, both ends included. */
export interface Location {
  readonly file: string;
  readonly startLine: number;
  readonly endLine: number;
}

/** A Dockerfile that cannot be read. Docker's own wording, which clients match; the file is named when it is not the usual one. */
export function parseFault(at: Location, message: string): DabbaError {
  const file = at.file === 'Dockerfile' ? '' : ` of ${at.file}`;
  return new DabbaError('InvalidArgument', `dockerfile parse error on line ${at.startLine}${file}: ${message}`);
}

/** An instruction that was read well and cannot be carried out. */
export function stepFault(kind: ErrorKind, at: Location, message: string, cause?: unknown): DabbaError {
  return new DabbaError(kind, `${at.file}:${at.startLine}: ${message}`, cause === undefined ? {} : { cause });
}
