import { DabbaError, type Digest } from '#base';

/** The answers that every adapter words alike. */
export const blobNotFound = (digest: Digest): DabbaError => new DabbaError('NotFound', `blob ${digest} does not exist`);

export const uploadNotFound = (id: string): DabbaError => new DabbaError('NotFound', `upload "${id}" does not exist`);

export const uploadBusy = (id: string): DabbaError =>
  new DabbaError('Conflict', `upload ${id} is being written by another request`);

export const digestMismatch = (expected: Digest, actual: Digest): DabbaError =>
  new DabbaError('InvalidArgument', `the content has digest ${actual}, not ${expected}`);

export const sizeMismatch = (expectedBytes: number, actualBytes: number): DabbaError =>
  new DabbaError('InvalidArgument', `the content has ${actualBytes} bytes, not ${expectedBytes}`);

export const blobTooLarge = (digest: Digest, sizeBytes: number, limitBytes: number): DabbaError =>
  new DabbaError(
    'ResourceExhausted',
    `blob ${digest} has ${sizeBytes} bytes, more than the ${limitBytes} allowed here`,
  );
