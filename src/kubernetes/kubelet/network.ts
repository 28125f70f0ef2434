import { DabbaError } from '#base';
import { createSandboxNamespaces, type IdMapping } from '#kernel';
import { type AttachedInterface, type NetworkInterface, type NetworkPlane, recordId } from '#network';
import type { Collection } from '#store';
import type { KubeletRecord, NodeServices, PodFilters, PodIdentity } from './ports.ts';

/** The networks of one node: its own, and one for each pod that has a network of its own. Both calls may be repeated. */
export class PodNetworks {
  readonly #node: KubeletRecord;
  readonly #plane: Pick<NetworkPlane, 'attach' | 'detach'>;
  readonly #services: NodeServices;
  readonly #filters: PodFilters;
  readonly #networkInterfaces: Pick<Collection<NetworkInterface>, 'get'>;
  #own: Promise<AttachedInterface> | undefined;

  constructor(options: {
    readonly node: KubeletRecord;
    readonly plane: Pick<NetworkPlane, 'attach' | 'detach'>;
    readonly services: NodeServices;
    readonly filters: PodFilters;
    readonly networkInterfaces: Pick<Collection<NetworkInterface>, 'get'>;
  }) {
    this.#node = options.node;
    this.#plane = options.plane;
    this.#services = options.services;
    this.#filters = options.filters;
    this.#networkInterfaces = options.networkInterfaces;
  }

  /** The node's own interface, made real. Throws `Unavailable` when there is none yet. */
  async own(): Promise<AttachedInterface> {
    this.#own ??= this.#attachOwn();
    try {
      return await this.#own;
    } catch (error) {
      this.#own = undefined;
      throw error;
    }
  }

  /**
   * An interface for a pod, whose packets are filtered from the first, in a network namespace that a user namespace with these `ids` owns, if they are given. `onAssigned` is told which,
   * before it is made real.
   */
  async attach(
    pod: PodIdentity,
    { onAssigned, ids }: { onAssigned: (networkInterfaceId: string) => Promise<void>; ids: IdMapping | undefined },
    signal: AbortSignal,
  ): Promise<AttachedInterface> {
    const assigned = await this.#services.assignAddress(pod, signal);
    await onAssigned(assigned.id);
    using namespaces = ids && (await createSandboxNamespaces(ids));
    const held = this.#filters.hold(pod, assigned.privateIp, signal);
    // The namespace stays open until the plane is done with it, whatever becomes of the rest.
    const [attached] = await Promise.allSettled([this.#plane.attach(assigned, namespaces?.network), held]);
    await held;
    if (attached.status === 'rejected') throw attached.reason;
    return attached.value;
  }

  async detach(pod: PodIdentity, networkInterfaceId: string | undefined, signal: AbortSignal): Promise<void> {
    if (networkInterfaceId !== undefined) await this.#plane.detach(networkInterfaceId);
    await this.#services.releaseAddress(pod, signal);
  }

  /** Removes the node's own interface. */
  async detachOwn(): Promise<void> {
    await this.#plane.detach(this.#node.networkInterfaceId);
    this.#own = undefined;
  }

  async #attachOwn(): Promise<AttachedInterface> {
    const { tenant, region, networkInterfaceId } = this.#node;
    const found = await this.#networkInterfaces.get(recordId({ tenant, region, id: networkInterfaceId }));
    if (!found)
      throw new DabbaError('Unavailable', `the node's network interface ${networkInterfaceId} does not exist`);
    return await this.#plane.attach(found.value);
  }
}
