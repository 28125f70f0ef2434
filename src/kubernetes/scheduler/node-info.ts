import type { Node } from '../types.ts';
import type { HostPort, PodInfo } from './pod-info.ts';
import { allocatableOf, type Amounts } from './resources.ts';
import type { Taint } from './selection.ts';

const noAmounts: Amounts = new Map();
const noTaints: readonly Taint[] = [];

/** One node with all that is on it: kept true by addition and subtraction, never recounted. */
export class NodeInfo {
  readonly name: string;
  /** Undefined while only its pods are known. */
  node: Node | undefined;
  allocatable: Amounts = noAmounts;
  taints: readonly Taint[] = noTaints;
  labels: Readonly<Record<string, string>> = {};
  readonly requested = new Map<string, number>();
  presumedCpuMillis = 0;
  presumedMemoryBytes = 0;
  readonly pods = new Map<string, PodInfo>();
  readonly #ports = new Map<string, number>();
  /** Images that are here, with their sizes. */
  images: ReadonlyMap<string, number> = noAmounts;

  constructor(name: string) {
    this.name = name;
  }

  set(node: Node | undefined): void {
    this.node = node;
    this.allocatable = node ? allocatableOf(node) : noAmounts;
    this.taints = node?.spec?.taints ?? noTaints;
    this.labels = node?.metadata?.labels ?? {};
    this.images = new Map(
      (node?.status?.images ?? []).flatMap(({ names, sizeBytes }) =>
        (names ?? []).map((name) => [name, sizeBytes ?? 0] as const),
      ),
    );
  }

  add(pod: PodInfo): void {
    this.pods.set(pod.uid, pod);
    this.#count(pod, 1);
  }

  remove(pod: PodInfo): void {
    if (this.pods.delete(pod.uid)) this.#count(pod, -1);
  }

  /** Whether another pod holds the port, on the same address or on all of them. */
  isTaken({ address, protocol, port }: HostPort): boolean {
    const held = `${protocol}/${port}`;
    if (address === '0.0.0.0') return this.#ports.has(held);
    return this.#ports.has(`${held}/0.0.0.0`) || this.#ports.has(`${held}/${address}`);
  }

  #count(pod: PodInfo, sign: 1 | -1): void {
    for (const [name, amount] of pod.requests)
      this.requested.set(name, (this.requested.get(name) ?? 0) + sign * amount);
    this.presumedCpuMillis += sign * pod.presumedCpuMillis;
    this.presumedMemoryBytes += sign * pod.presumedMemoryBytes;
    for (const { address, protocol, port } of pod.hostPorts)
      for (const key of [`${protocol}/${port}`, `${protocol}/${port}/${address}`]) {
        const count = (this.#ports.get(key) ?? 0) + sign;
        if (count) this.#ports.set(key, count);
        else this.#ports.delete(key);
      }
  }
}
