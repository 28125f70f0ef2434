/** Deletes what nobody owns any more. Behaviour: kubernetes `pkg/controller/garbagecollector`. */
import type { ResourceType } from '../../object.ts';
import { isStatusError } from '../../status.ts';
import type { OwnerReference } from '../../types.ts';
import type { Controller, ControllerParts, Step } from '../controller.ts';
import { isDeleting, metaOf, nameOf } from '../meta.ts';
import { ResourceCopies } from '../resource-copies.ts';
import { FOREGROUND, type GraphNode, hasFinalizer, ORPHAN, OwnerGraph, waitsForDependents } from './graph.ts';

/** An owner's kind that is not known may be served again: looked at anew after this long, since nothing tells. */
const UNKNOWN_KIND_MS = 60_000;

/** Events come and go by themselves. */
function isCollected({ resource }: ResourceType): boolean {
  return resource !== 'events';
}

export function garbageCollector(parts: ControllerParts): Controller {
  const copies = new ResourceCopies(parts);
  const graph = new OwnerGraph();
  const collector = new Collector(graph, copies);
  return {
    name: 'garbage-collector',
    wokenBy: [
      {
        start: (add) =>
          copies.onChange((type, change) => {
            if (isCollected(type)) for (const uid of graph.change(type, change)) add(uid);
          }),
        synced: () => copies.synced(),
      },
    ],
    reads: [],
    concurrency: 20,
    async reconcile(uid, step) {
      const node = graph.get(uid);
      return node && collector.look(node, step);
    },
  };
}

/** How each owner of an object stands. */
interface Owners {
  /** There, and staying. */
  readonly solid: readonly OwnerReference[];
  /** Not there. */
  readonly dangling: readonly OwnerReference[];
  /** Going, as soon as this object and the others that block it are gone. */
  readonly waiting: readonly OwnerReference[];
  readonly isUnsure: boolean;
}

class Collector {
  readonly #graph: OwnerGraph;
  readonly #copies: ResourceCopies;

  constructor(graph: OwnerGraph, copies: ResourceCopies) {
    this.#graph = graph;
    this.#copies = copies;
  }

  async look(node: GraphNode, step: Step): Promise<void | { readonly afterMs: number }> {
    const { object } = node;
    if (isDeleting(object)) {
      if (hasFinalizer(object, ORPHAN)) return this.#orphan(node, step);
      if (hasFinalizer(object, FOREGROUND)) return this.#releaseWhenFree(node, step);
      return undefined;
    }
    if (!node.owners.length) return undefined;
    const owners = await this.#classify(node, step);
    if (owners.isUnsure) return { afterMs: UNKNOWN_KIND_MS };
    const { solid, dangling, waiting } = owners;
    if (solid.length) {
      if (dangling.length || waiting.length) await disown(node, [...dangling, ...waiting], step);
      return undefined;
    }
    if (waiting.length && this.#graph.dependentsOf(node.uid).length) {
      await this.#breakCycles(node, step);
      return this.#delete(node, 'Foreground', step);
    }
    const policy = hasFinalizer(object, ORPHAN)
      ? 'Orphan'
      : hasFinalizer(object, FOREGROUND)
        ? 'Foreground'
        : 'Background';
    return this.#delete(node, policy, step);
  }

  async #classify(node: GraphNode, step: Step): Promise<Owners> {
    const solid: OwnerReference[] = [];
    const dangling: OwnerReference[] = [];
    const waiting: OwnerReference[] = [];
    let isUnsure = false;
    for (const reference of node.owners) {
      const owner = this.#graph.get(reference.uid);
      const isThere = owner ? isReachable(owner, node) : await this.#isThere(reference, node, step);
      if (isThere === undefined) isUnsure = true;
      else if (!isThere) dangling.push(reference);
      else if (owner && waitsForDependents(owner.object) && reference.blockOwnerDeletion) waiting.push(reference);
      else solid.push(reference);
    }
    return { solid, dangling, waiting, isUnsure };
  }

  /** Asks the server: a copy may not have seen an owner yet. Undefined: its kind is not served, so nobody can tell. */
  async #isThere(
    { apiVersion, kind, name, uid }: OwnerReference,
    { object }: GraphNode,
    { api }: Step,
  ): Promise<boolean | undefined> {
    const copy = this.#copies.ofKind(apiVersion, kind);
    if (!copy) return undefined;
    const { namespace } = metaOf(object);
    // A namespaced owner of a cluster-wide object cannot be found, and so cannot be there.
    if (copy.type.isNamespaced && !namespace) return false;
    try {
      const owner = await api.get(copy.type, { name, ...(copy.type.isNamespaced && { namespace }) });
      return owner.metadata?.uid === uid;
    } catch (error) {
      if (isStatusError(error, 'NotFound')) return false;
      throw error;
    }
  }

  async #delete(
    node: GraphNode,
    propagationPolicy: 'Orphan' | 'Foreground' | 'Background',
    { api }: Step,
  ): Promise<void> {
    const { uid, resourceVersion } = metaOf(node.object);
    // Its owners may have changed since they were looked at: then it is looked at again.
    const preconditions = { uid, resourceVersion };
    await api.delete(node.type, nameOf(node.object), { propagationPolicy, preconditions }).catch(unlessGone);
  }

  /** The last that blocked it is gone: so may it. Before that, those that block are sent away. */
  async #releaseWhenFree(node: GraphNode, step: Step): Promise<void> {
    const blocking = this.#graph
      .dependentsOf(node.uid)
      .filter(({ owners }) => owners.some(({ uid, blockOwnerDeletion }) => uid === node.uid && blockOwnerDeletion));
    if (!blocking.length) return removeFinalizer(node, FOREGROUND, step);
    for (const dependent of blocking) if (!isDeleting(dependent.object)) await this.look(dependent, step);
    return undefined;
  }

  /** Two that wait for each other would wait for ever: the one that is looked at blocks no longer. */
  async #breakCycles(node: GraphNode, step: Step): Promise<void> {
    const isInCycle = this.#graph.dependentsOf(node.uid).some(({ object }) => waitsForDependents(object));
    if (!isInCycle || !node.owners.some(({ blockOwnerDeletion }) => blockOwnerDeletion)) return;
    const ownerReferences = node.owners.map((reference) => ({ ...reference, blockOwnerDeletion: false }));
    await step.api.patch(node.type, nameOf(node.object), {
      kind: 'merge',
      body: { metadata: { uid: node.uid, ownerReferences } },
    });
  }

  /** Those that it owns forget it, then it goes. */
  async #orphan(node: GraphNode, step: Step): Promise<void> {
    for (const dependent of this.#graph.dependentsOf(node.uid)) {
      const mine = dependent.owners.filter(({ uid }) => uid === node.uid);
      await disown(dependent, mine, step);
    }
    await removeFinalizer(node, ORPHAN, step);
  }
}

/** Owners are found in their dependents' namespace, or have none. */
function isReachable(owner: GraphNode, { object }: GraphNode): boolean {
  const { namespace } = metaOf(owner.object);
  return namespace === undefined || namespace === metaOf(object).namespace;
}

async function disown(
  { type, object, uid, owners }: GraphNode,
  references: readonly OwnerReference[],
  { api }: Step,
): Promise<void> {
  const gone = new Set(references.map((reference) => reference.uid));
  const left = owners.filter((reference) => !gone.has(reference.uid));
  const { resourceVersion } = metaOf(object);
  const body = { metadata: { uid, resourceVersion, ownerReferences: left.length ? left : null } };
  await api.patch(type, nameOf(object), { kind: 'merge', body }).catch(unlessGone);
}

async function removeFinalizer({ type, object, uid }: GraphNode, name: string, { api }: Step): Promise<void> {
  const { resourceVersion, finalizers = [] } = metaOf(object);
  const left = finalizers.filter((finalizer) => finalizer !== name);
  const body = { metadata: { uid, resourceVersion, finalizers: left.length ? left : null } };
  await api.patch(type, nameOf(object), { kind: 'merge', body }).catch(unlessGone);
}

function unlessGone(error: unknown): undefined {
  if (!isStatusError(error, 'NotFound')) throw error;
}
