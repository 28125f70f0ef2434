import { type Clock, DabbaError } from '#base';
import type { BlobStore, Upload } from '#blob';
import type { Descriptor } from './manifest.ts';
import type { LayerReport } from './progress.ts';
import type { RepositoryClient } from './registry-client.ts';
import { RegistryRefusal, RegistryUnreachable } from './registry-errors.ts';

export interface FetchBlob {
  readonly client: RepositoryClient;
  readonly blobs: BlobStore;
  readonly blob: Descriptor;
  readonly clock: Clock;
  readonly report?: LayerReport;
  readonly signal: AbortSignal;
}

const mostAttempts = 6;
const firstPauseMs = 200;

/**
 * Brings a blob here unless it is here already. A broken connection is taken up where it broke, some times over. Bytes that do not match
 * the descriptor are `DataLoss`.
 */
export async function fetchBlob({ client, blobs, blob, clock, report, signal }: FetchBlob): Promise<void> {
  if (await blobs.stat(blob.digest)) {
    report?.state('exists');
    return;
  }
  const upload = await blobs.startUpload();
  try {
    for (let attempt = 1; upload.sizeBytes < blob.size || attempt === 1; attempt++)
      try {
        const rest = await client.blob(blob.digest, upload.sizeBytes, signal);
        const counted = report ? report.counting(rest, upload.sizeBytes) : rest;
        await upload.append(bounded(counted, blob, upload.sizeBytes));
        if (upload.sizeBytes < blob.size) throw new RegistryUnreachable(`blob ${blob.digest} ended early`);
      } catch (error) {
        signal.throwIfAborted();
        if (attempt === mostAttempts || !isPassing(error)) throw error;
        await clock.sleep(firstPauseMs * 2 ** (attempt - 1), signal);
      }
    await publish(upload, blob);
    report?.state('transferred');
  } catch (error) {
    await upload.cancel();
    throw error;
  }
}

/** Worth another attempt: the network, or a registry that is busy. */
function isPassing(error: unknown): boolean {
  return error instanceof RegistryUnreachable || (error instanceof RegistryRefusal && error.kind === 'Unavailable');
}

async function publish(upload: Upload, blob: Descriptor): Promise<void> {
  try {
    await upload.commit(blob.digest);
  } catch (error) {
    if (!(error instanceof DabbaError) || error.kind !== 'InvalidArgument') throw error;
    throw new DabbaError(
      'DataLoss',
      `blob ${blob.digest} came with other bytes: filesystem layer verification failed`,
      {
        cause: error,
      },
    );
  }
}

/** Refuses to take more than the descriptor promised. */
async function* bounded(
  source: AsyncIterable<Uint8Array>,
  blob: Descriptor,
  start: number,
): AsyncGenerator<Uint8Array, void> {
  let size = start;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > blob.size)
      throw new DabbaError(
        'DataLoss',
        `blob ${blob.digest} is larger than the ${blob.size} bytes its descriptor names`,
      );
    yield chunk;
  }
}
