import { isIPv4 } from 'node:net';
import type { Informer } from '../client/informer.ts';
import type { Pod } from '../types.ts';

/** Addresses that pods of this machine have been given, until their status tells them. */
export class PlacedPods {
  readonly #pods: Informer<Pod>;
  readonly #addresses = new Map<string, string>();

  constructor(pods: Informer<Pod>) {
    this.#pods = pods;
  }

  /** Forgets what is told by now. Returns the function that ends it. */
  follow(): () => void {
    return this.#pods.onChange(({ now, before }) => {
      const uid = (now ?? before)?.metadata?.uid ?? '';
      if (!now || isAddressed(now)) this.#addresses.delete(uid);
    });
  }

  /** True if the address is news: the pod's status does not tell it. */
  place({ metadata, status }: Pod, address: string): boolean {
    if (status?.podIP === address) return false;
    this.#addresses.set(metadata?.uid ?? '', address);
    return true;
  }

  /** All pods, as their status will be. */
  list(): readonly Pod[] {
    if (this.#addresses.size === 0) return this.#pods.list();
    return this.#pods.list().map((pod) => {
      const podIP = this.#addresses.get(pod.metadata?.uid ?? '');
      return podIP === undefined || isAddressed(pod) ? pod : { ...pod, status: { ...pod.status, podIP } };
    });
  }
}

function isAddressed({ status }: Pod): boolean {
  return isIPv4(status?.podIP ?? '');
}
