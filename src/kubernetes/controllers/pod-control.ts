/** How controllers make and remove their pods, and what users read of it in events. Behaviour: kubernetes `pkg/controller/controller_utils.go` (RealPodControl). */
import { messageOf } from '#base';
import type { ApiClient } from '../client/client.ts';
import { pods } from '../resources.ts';
import { isStatusError } from '../status.ts';
import type { Pod } from '../types.ts';
import { metaOf, nameOf } from './meta.ts';

/** Tells of the pods' owner. */
export type Tell = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

/** Makes a pod; throws what the API answers. In a namespace that ends there is nothing to make or to complain of: the owner ends with it. */
export async function createPod(api: ApiClient, pod: Pod, tell: Tell): Promise<void> {
  try {
    const made = await api.create(pods, pod);
    tell('Normal', 'SuccessfulCreate', `Created pod: ${metaOf(made).name}`);
  } catch (error) {
    const isEnding =
      isStatusError(error) && error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating');
    if (isEnding) return;
    tell('Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
    throw error;
  }
}

/** Deletes this very pod, unless it is gone; throws what the API answers. */
export async function deletePod(api: ApiClient, pod: Pod, tell: Tell): Promise<void> {
  const { name, uid } = metaOf(pod);
  try {
    await api.delete(pods, nameOf(pod), { preconditions: { uid } });
    tell('Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return;
    tell('Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
    throw error;
  }
}
