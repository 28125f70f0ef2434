import type { PodInfo } from './pod-info.ts';

const nobody: readonly PodInfo[] = [];

/** Pods that are promised a place on a node, because others are leaving it for them. */
export class Nominations {
  readonly #byNode = new Map<string, Map<string, PodInfo>>();
  readonly #nodeOf = new Map<string, string>();

  set(pod: PodInfo, nodeName: string): void {
    this.delete(pod.uid);
    let pods = this.#byNode.get(nodeName);
    if (!pods) this.#byNode.set(nodeName, (pods = new Map()));
    pods.set(pod.uid, pod);
    this.#nodeOf.set(pod.uid, nodeName);
  }

  delete(uid: string): void {
    const nodeName = this.#nodeOf.get(uid);
    if (nodeName === undefined) return;
    this.#nodeOf.delete(uid);
    const pods = this.#byNode.get(nodeName)!;
    pods.delete(uid);
    if (!pods.size) this.#byNode.delete(nodeName);
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  /** Promised pods that a pod must leave room for: those of its priority or a higher one. */
  before(pod: PodInfo, nodeName: string): readonly PodInfo[] {
    const pods = this.#byNode.get(nodeName);
    if (!pods) return nobody;
    return [...pods.values()].filter(({ uid, priority }) => uid !== pod.uid && priority >= pod.priority);
  }

  /** Promised pods of a lower priority. */
  behind(pod: PodInfo, nodeName: string): readonly PodInfo[] {
    const pods = this.#byNode.get(nodeName);
    return pods ? [...pods.values()].filter(({ priority }) => priority < pod.priority) : nobody;
  }
}
