import type { KubernetesObject, ResourceType } from '../../object.ts';
import type { OwnerReference } from '../../types.ts';
import type { Change } from '../controller.ts';
import { isDeleting } from '../meta.ts';

/** An object, and those that name it as an owner. */
export interface GraphNode {
  readonly uid: string;
  readonly type: ResourceType;
  object: KubernetesObject;
  owners: readonly OwnerReference[];
}

const none: readonly OwnerReference[] = [];

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

export function hasFinalizer({ metadata }: KubernetesObject, name: string): boolean {
  return metadata?.finalizers?.includes(name) ?? false;
}

/** An owner that goes only after those that block it. */
export function waitsForDependents(object: KubernetesObject): boolean {
  return isDeleting(object) && hasFinalizer(object, FOREGROUND);
}

/** Who owns whom among all objects of a cluster, by identity. Only what owns or is owned takes room. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  /** By the uid of an owner, whether it is known or not. */
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): readonly GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#nodes.get(dependent) ?? []);
  }

  /** Takes a change in; returns the uids of the objects that have to be looked at. */
  change(type: ResourceType, { now, before }: Change<KubernetesObject>): readonly string[] {
    const uid = now?.metadata?.uid;
    const oldUid = before?.metadata?.uid;
    const gone = oldUid !== undefined && oldUid !== uid ? this.#remove(oldUid) : [];
    if (!now || uid === undefined) return gone;
    return [...gone, ...this.#put(type, now, uid)];
  }

  #put(type: ResourceType, object: KubernetesObject, uid: string): readonly string[] {
    const owners = object.metadata?.ownerReferences ?? none;
    const known = this.#nodes.get(uid);
    const before = known?.owners ?? none;
    const wasWaiting = known !== undefined && waitsForDependents(known.object);
    if (known) {
      known.object = object;
      known.owners = owners;
    } else this.#nodes.set(uid, { uid, type, object, owners });
    const isOwned = before === owners || sameOwners(before, owners);
    if (!isOwned) {
      for (const owner of before) this.#unlink(owner.uid, uid);
      for (const owner of owners) this.#link(owner.uid, uid);
    }
    const touched: string[] = [];
    if ((!known || !isOwned) && owners.length) touched.push(uid);
    if (isDeleting(object) && (hasFinalizer(object, FOREGROUND) || hasFinalizer(object, ORPHAN))) touched.push(uid);
    if (waitsForDependents(object) && !wasWaiting) touched.push(...(this.#dependents.get(uid) ?? []));
    // Owners that wait may not be blocked any more.
    if (!isOwned || isDeleting(object)) touched.push(...this.#waitingOwners(before), ...this.#waitingOwners(owners));
    return touched;
  }

  #remove(uid: string): readonly string[] {
    const node = this.#nodes.get(uid);
    if (!node) return [];
    this.#nodes.delete(uid);
    for (const owner of node.owners) this.#unlink(owner.uid, uid);
    return [...(this.#dependents.get(uid) ?? []), ...this.#waitingOwners(node.owners)];
  }

  #waitingOwners(owners: readonly OwnerReference[]): readonly string[] {
    return owners
      .map(({ uid }) => uid)
      .filter((uid) => {
        const owner = this.#nodes.get(uid);
        return owner !== undefined && waitsForDependents(owner.object);
      });
  }

  #link(owner: string, uid: string): void {
    const dependents = this.#dependents.get(owner);
    if (dependents) dependents.add(uid);
    else this.#dependents.set(owner, new Set([uid]));
  }

  #unlink(owner: string, uid: string): void {
    const dependents = this.#dependents.get(owner);
    dependents?.delete(uid);
    if (dependents?.size === 0) this.#dependents.delete(owner);
  }
}

function sameOwners(a: readonly OwnerReference[], b: readonly OwnerReference[]): boolean {
  const text = (owners: readonly OwnerReference[]) =>
    owners.map(({ uid, blockOwnerDeletion }) => `${uid}${blockOwnerDeletion ? '!' : ''}`).join();
  return a.length === b.length && text(a) === text(b);
}
