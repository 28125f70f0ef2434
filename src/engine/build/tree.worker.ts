import { parentPort, workerData } from 'node:worker_threads';
import { DabbaError, messageOf, type ErrorKind } from '#base';
import { runTreeJob, type TreeJob } from './tree-job.ts';

/** The answer to the one job of this thread. A failure keeps its kind. */
export type TreeAnswer =
  | { readonly digest: string | undefined }
  | { readonly error: { readonly kind: ErrorKind; readonly message: string } };

function answer(job: TreeJob): TreeAnswer {
  try {
    return { digest: runTreeJob(job) };
  } catch (error) {
    const kind = error instanceof DabbaError ? error.kind : 'Internal';
    return { error: { kind, message: messageOf(error) } };
  }
}

const port = parentPort;
port?.postMessage(answer(workerData as TreeJob)); // what trees.ts sends
