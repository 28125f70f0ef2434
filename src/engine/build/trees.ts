import { Worker } from 'node:worker_threads';
import { DabbaError } from '#base';
import { entriesOf, type Source } from './tree.ts';
import { runTreeJob, type TreeJob } from './tree-job.ts';
import type { TreeAnswer } from './tree.worker.ts';

/** What is done at once on this thread: a worker takes longer to start. */
const small = { entries: 200, bytes: 4 << 20 } as const;

/** Does the work of hashing or copying trees, on a thread of its own when there is much of it. Gives the digest, if that was asked. */
export async function workOnTrees(job: TreeJob, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted();
  return isSmall(sourcesOf(job)) ? runTreeJob(job) : runOnWorker(job, signal);
}

/** True if a source has anything to copy. */
export function hasEntries(source: Source): boolean {
  return entriesOf(source).next().done !== true;
}

function sourcesOf(job: TreeJob): readonly Source[] {
  if (job.kind === 'digest') return job.sources;
  if (job.kind === 'copy') return job.copies.map(({ source }) => source);
  return [{ root: job.wanted, path: '', name: '' }];
}

function isSmall(sources: readonly Source[]): boolean {
  let entries = 0;
  let bytes = 0;
  for (const source of sources)
    for (const { kind, sizeBytes } of entriesOf(source)) {
      if (kind === 'file') bytes += sizeBytes;
      if (++entries > small.entries || bytes > small.bytes) return false;
    }
  return true;
}

async function runOnWorker(job: TreeJob, signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<TreeAnswer>();
  const worker = new Worker(new URL('tree.worker.ts', import.meta.url), { name: 'build-tree', workerData: job });
  const onAbort = () => reject(signal.reason as Error); // whatever the caller gave
  signal.addEventListener('abort', onAbort, { once: true });
  worker.once('message', resolve).once('error', reject);
  worker.once('exit', () => reject(new DabbaError('Internal', 'a worker for build trees ended unexpectedly')));
  try {
    const answer = await promise;
    if ('error' in answer) throw new DabbaError(answer.error.kind, answer.error.message);
    return answer.digest;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}
