import { Readable } from 'node:stream';
import { randomUUID } from 'node:crypto';
import { algorithmOf, digestOf, type Digest } from '#base';
import type { BlobStore } from '../blob.ts';
import { blobNotFound, blobTooLarge, digestMismatch, uploadBusy, uploadNotFound } from '../errors.ts';
import { writeByUpload, type OpenUpload } from '../write.ts';

/** Blobs in this process's memory; for tests. Forgets everything with the process. */
export function memoryBlobStore(): BlobStore {
  const blobs = new Map<Digest, Buffer>();
  const uploads = new Map<string, OpenUpload>();

  const find = (digest: Digest): Buffer => {
    const bytes = blobs.get(digest);
    if (!bytes) throw blobNotFound(digest);
    return bytes;
  };
  const startUpload = (): OpenUpload => {
    const upload = memoryUpload(randomUUID(), blobs, (id) => uploads.delete(id));
    uploads.set(upload.id, upload);
    return upload;
  };

  return {
    async stat(digest) {
      const bytes = blobs.get(digest);
      return bytes && { sizeBytes: bytes.length };
    },
    async read(digest, { start = 0, length } = { start: 0 }) {
      const bytes = find(digest).subarray(start, length === undefined ? undefined : start + length);
      return Readable.from(bytes.length ? [bytes] : []);
    },
    openFile: async () => undefined,
    async readBytes(digest, limitBytes = 4 << 20) {
      const bytes = find(digest);
      if (bytes.length > limitBytes) throw blobTooLarge(digest, bytes.length, limitBytes);
      return Buffer.from(bytes);
    },
    write: (source, options) => writeByUpload(startUpload(), source, options),
    startUpload: async () => startUpload(),
    async resumeUpload(id) {
      const upload = uploads.get(id);
      if (!upload) throw uploadNotFound(id);
      return upload;
    },
    async remove(digest) {
      blobs.delete(digest);
    },
    async *list() {
      for (const [digest, bytes] of blobs) yield { digest, sizeBytes: bytes.length };
    },
  };
}

function memoryUpload(id: string, blobs: Map<Digest, Buffer>, end: (id: string) => void): OpenUpload {
  let bytes = Buffer.alloc(0);
  let isBusy = false;
  return {
    id,
    get sizeBytes() {
      return bytes.length;
    },
    async append(source) {
      if (isBusy) throw uploadBusy(id);
      isBusy = true;
      try {
        for await (const chunk of source) bytes = Buffer.concat([bytes, chunk]);
      } finally {
        isBusy = false;
      }
    },
    async commit(expected) {
      if (isBusy) throw uploadBusy(id);
      const digest = digestOf(bytes, expected && algorithmOf(expected));
      if (expected && digest !== expected) throw digestMismatch(expected, digest);
      blobs.set(digest, bytes);
      end(id);
      return { digest, sizeBytes: bytes.length };
    },
    async cancel() {
      end(id);
    },
  };
}
