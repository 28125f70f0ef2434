/** Deletes jobs some time after they have ended. Behaviour: kubernetes `pkg/controller/ttlafterfinished`. */
import { keyOf } from '../../object.ts';
import { jobs } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { type Controller, type ControllerParts, copyOf, wakes } from '../controller.ts';
import { finishedAt } from '../job/settings.ts';
import { instantOf, isDeleting, metaOf, nameOf } from '../meta.ts';

export function ttlAfterFinishedController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(jobs);
  return {
    name: 'ttl-after-finished-controller',
    wokenBy: [wakes(copy, ({ now }) => (now?.spec?.ttlSecondsAfterFinished === undefined ? [] : [keyOf(now)]))],
    reads: [copyOf(jobs, copy)],
    async reconcile(key, { api }) {
      const job = copy.get(key);
      const seconds = job?.spec?.ttlSecondsAfterFinished;
      const ended = job && finishedAt(job);
      if (!job || seconds === undefined || ended === undefined || isDeleting(job)) return undefined;
      const leftMs = instantOf(ended) + seconds * 1000 - parts.clock.now();
      if (leftMs > 0) return { afterMs: leftMs };
      const { uid, resourceVersion } = metaOf(job);
      // Its time may have been prolonged since: then it is looked at again.
      await api
        .delete(jobs, nameOf(job), { propagationPolicy: 'Foreground', preconditions: { uid, resourceVersion } })
        .catch((error: unknown) => {
          if (!isStatusError(error, 'NotFound')) throw error;
        });
      return undefined;
    },
  };
}
