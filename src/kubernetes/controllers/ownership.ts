/** Who owns whom: adopting objects that a selector takes in, letting go of those it no longer does. Behaviour: kubernetes `pkg/controller`, "ControllerRefManager". */
import { isDeepStrictEqual } from 'node:util';
import type { ApiClient } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { apiVersionOf, type KubernetesObject, keyOf, type ResourceType } from '../object.ts';
import { type LabelSelector, matches } from '../selector.ts';
import { isStatusError } from '../status.ts';
import type { OwnerReference } from '../types.ts';
import type { Change } from './controller.ts';
import { isDeleting, metaOf, nameOf } from './meta.ts';

/** The owner that manages the object. */
export function controllerOf({ metadata }: KubernetesObject): OwnerReference | undefined {
  return metadata?.ownerReferences?.find(({ controller }) => controller);
}

export function isControlledBy(object: KubernetesObject, owner: KubernetesObject): boolean {
  return controllerOf(object)?.uid === owner.metadata?.uid;
}

/** The reference by which `owner` manages an object. */
export function controllerReference(type: ResourceType, owner: KubernetesObject): OwnerReference {
  const { name, uid } = metaOf(owner);
  return { apiVersion: apiVersionOf(type), kind: type.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** Keys of the controllers of one kind that a change of an object concerns. */
export function keysOfController(type: ResourceType, { now, before }: Change<KubernetesObject>): readonly string[] {
  const keys = new Set<string>();
  for (const object of [before, now]) {
    const owner = object && controllerOf(object);
    if (owner?.kind !== type.kind || owner.apiVersion.split('/')[0] !== apiVersionOf(type).split('/')[0]) continue;
    const { namespace } = object!.metadata!;
    keys.add(keyOf({ metadata: { name: owner.name, ...(namespace && { namespace }) } }));
  }
  return [...keys];
}

/**
 * Keys of the owners that might adopt an object which nobody controls, when it or its labels are new; changes of its status are none of their business.
 */
export function keysOfAdopters<Owner extends KubernetesObject>(
  owners: Informer<Owner>,
  selectorOf: (owner: Owner) => LabelSelector,
  { now, before }: Change<KubernetesObject>,
): readonly string[] {
  if (!now || controllerOf(now) || isDeleting(now)) return [];
  const { namespace, labels } = now.metadata!;
  if (before && !controllerOf(before) && isDeepStrictEqual(before.metadata?.labels, labels)) return [];
  return owners
    .list(namespace)
    .filter((owner) => matches(selectorOf(owner), labels))
    .map(keyOf);
}

export interface Claim<T extends KubernetesObject> {
  readonly api: ApiClient;
  readonly ownerType: ResourceType;
  readonly owner: KubernetesObject;
  readonly type: ResourceType<T>;
  readonly selector: LabelSelector;
  /** Objects of the owner's namespace: its own, and those without a controller. */
  readonly candidates: readonly T[];
  /** What the owner holds its objects by: comes with adoption, goes with release. */
  readonly finalizer?: string;
}

/**
 * The candidates that are the owner's: its own that are still selected, and orphans that it adopts. Its own that are no longer selected are let go. An owner that is being
 * deleted adopts and releases nothing.
 */
export async function claim<T extends KubernetesObject>(request: Claim<T>): Promise<readonly T[]> {
  const { owner, selector, candidates } = request;
  const mine: T[] = [];
  for (const object of candidates) {
    const controller = controllerOf(object);
    const isSelected = matches(selector, object.metadata?.labels);
    if (controller) {
      if (controller.uid !== owner.metadata?.uid) continue;
      if (isSelected) mine.push(object);
      else if (!isDeleting(owner)) await release(request, object);
    } else if (isSelected && !isDeleting(owner) && !isDeleting(object)) {
      const adopted = await adopt(request, object);
      if (adopted) mine.push(adopted);
    }
  }
  return mine;
}

async function adopt<T extends KubernetesObject>(request: Claim<T>, object: T): Promise<T | undefined> {
  const { api, ownerType, owner, finalizer } = request;
  // The copy may show an owner that is gone: what it adopted would be collected.
  const fresh = await api.get(ownerType, nameOf(owner)).catch(unlessGone);
  if (fresh?.metadata?.uid !== owner.metadata?.uid || isDeleting(fresh!)) return undefined;
  const { ownerReferences = [], finalizers = [] } = metaOf(object);
  const isHeld = !finalizer || finalizers.includes(finalizer);
  return change(request, object, {
    ownerReferences: [...ownerReferences, controllerReference(ownerType, owner)],
    ...(!isHeld && { finalizers: [...finalizers, finalizer] }),
  });
}

async function release<T extends KubernetesObject>(request: Claim<T>, object: T): Promise<void> {
  const { owner, finalizer } = request;
  const { ownerReferences = [], finalizers = [] } = metaOf(object);
  await change(request, object, {
    ownerReferences: ownerReferences.filter(({ uid }) => uid !== owner.metadata?.uid),
    ...(finalizer && { finalizers: finalizers.filter((name) => name !== finalizer) }),
  });
}

async function change<T extends KubernetesObject>(
  { api, type }: Claim<T>,
  object: T,
  lists: { readonly ownerReferences: readonly OwnerReference[]; readonly finalizers?: readonly string[] },
): Promise<T | undefined> {
  const { uid, resourceVersion } = metaOf(object);
  const orNull = Object.entries(lists).map(([name, list]) => [name, list.length ? list : null] as const);
  const body = { metadata: { uid, resourceVersion, ...Object.fromEntries(orNull) } };
  return api.patch(type, nameOf(object), { kind: 'merge', body }).catch(unlessGone);
}

function unlessGone(error: unknown): undefined {
  if (!isStatusError(error, 'NotFound')) throw error;
}
