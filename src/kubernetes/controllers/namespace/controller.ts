/** Empties namespaces that are being deleted, pods first. Behaviour: kubernetes `pkg/controller/namespace`. */
import { isDeepStrictEqual } from 'node:util';
import { type KubernetesObject, keyOf, qualifiedResource, type ResourceType } from '../../object.ts';
import { namespaces } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Namespace } from '../../types.ts';
import { withCondition } from '../conditions.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { isDeleting, metaOf, nameOf, timestampOf } from '../meta.ts';
import { ResourceCopies } from '../resource-copies.ts';

const FINALIZER = 'kubernetes';
/** Objects deleted at once. */
const BATCH = 50;

type NamespaceCondition = NonNullable<NonNullable<Namespace['status']>['conditions']>[number];

/** What is left of one resource. */
interface Remains {
  readonly type: ResourceType;
  readonly objects: readonly KubernetesObject[];
}

export function namespaceController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(namespaces);
  const copies = new ResourceCopies(parts);
  return {
    name: 'namespace-controller',
    wokenBy: [
      wakes(copy, ({ now }) => (now && isDeleting(now) ? [keyOf(now)] : [])),
      {
        // What is in a namespace that goes has changed, or slipped in at the last moment.
        start: (add) =>
          copies.onChange((_type, { now, before }) => {
            const name = (now ?? before)?.metadata?.namespace;
            const namespace = name === undefined ? undefined : copy.get(name);
            if (namespace && isDeleting(namespace)) add(keyOf(namespace));
          }),
        synced: () => copies.synced(),
      },
    ],
    reads: [copyOf(namespaces, copy)],
    concurrency: 10,
    async reconcile(key, step) {
      const namespace = copy.get(key);
      if (!namespace || !isDeleting(namespace) || !namespace.spec?.finalizers?.includes(FINALIZER)) return;
      const remains = remainsOf(copies, key);
      const failures = await empty(remains, step);
      if (!remains.length) return finalize(namespace, step);
      await tell(parts, step, { namespace, remains, failures });
      if (failures.length) throw failures[0];
    },
  };
}

function remainsOf(copies: ResourceCopies, namespace: string): readonly Remains[] {
  return [...copies.all]
    .filter(({ type }) => type.isNamespaced)
    .map(({ type, informer }) => ({ type, objects: informer.list(namespace) }))
    .filter(({ objects }) => objects.length > 0);
}

/** Deletes what is not yet being deleted; while there are pods, nothing but pods. Returns what went wrong. */
async function empty(remains: readonly Remains[], step: Step): Promise<readonly unknown[]> {
  const pods = remains.filter(({ type }) => type.group === '' && type.resource === 'pods');
  const failures: unknown[] = [];
  for (const { type, objects } of pods.length ? pods : remains) {
    const left = objects.filter((object) => !isDeleting(object));
    for (let start = 0; start < left.length; start += BATCH) {
      const batch = left.slice(start, start + BATCH).map((object) =>
        step.api
          .delete(type, nameOf(object), { propagationPolicy: 'Background', preconditions: { uid: metaOf(object).uid } })
          .catch((error: unknown) => {
            if (!isStatusError(error, 'NotFound', 'Conflict', 'MethodNotAllowed')) failures.push(error);
          }),
      );
      await Promise.all(batch);
    }
  }
  return failures;
}

/** Nothing is left: the namespace itself may go. */
async function finalize(namespace: Namespace, { api }: Step): Promise<void> {
  const finalizers = namespace.spec!.finalizers!.filter((name) => name !== FINALIZER);
  await api
    .update(namespaces, { ...namespace, spec: { finalizers } }, { subresource: 'finalize' })
    .catch((error: unknown) => {
      if (!isStatusError(error, 'NotFound')) throw error;
    });
}

async function tell(
  { clock }: ControllerParts,
  { api }: Step,
  {
    namespace,
    remains,
    failures,
  }: { readonly namespace: Namespace; readonly remains: readonly Remains[]; readonly failures: readonly unknown[] },
): Promise<void> {
  const lastTransitionTime = timestampOf(clock);
  const condition = (
    type: string,
    isTrue: boolean,
    texts: readonly [reason: string, message: string, good: string],
  ): NamespaceCondition => ({
    type,
    status: isTrue ? 'True' : 'False',
    lastTransitionTime,
    reason: isTrue
      ? texts[0]
      : type === 'NamespaceContentRemaining' || type === 'NamespaceFinalizersRemaining'
        ? 'ContentRemoved'
        : texts[0],
    message: isTrue ? texts[1] : texts[2],
  });
  const counts = remains.map(
    ({ type, objects }) => `${qualifiedResource(type)}. has ${objects.length} resource instances`,
  );
  const finalizers = new Map<string, number>();
  for (const { objects } of remains)
    for (const { metadata } of objects)
      for (const name of metadata?.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
  const held = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`);
  const conditions = [
    condition('NamespaceDeletionDiscoveryFailure', false, [
      'ResourcesDiscovered',
      '',
      'All resources successfully discovered',
    ]),
    condition('NamespaceDeletionGroupVersionParsingFailure', false, [
      'ParsedGroupVersions',
      '',
      'All legacy kube types successfully parsed',
    ]),
    condition('NamespaceDeletionContentFailure', failures.length > 0, [
      failures.length ? 'ContentDeletionFailed' : 'ContentDeleted',
      `Failed to delete all resource types, ${failures.length} remaining: ${failures.map((error) => (error as Error).message).join(', ')}`,
      'All content successfully deleted, may be waiting on finalization',
    ]),
    condition('NamespaceContentRemaining', true, [
      'SomeResourcesRemain',
      `Some resources are remaining: ${counts.join(', ')}`,
      '',
    ]),
    condition('NamespaceFinalizersRemaining', held.length > 0, [
      'SomeFinalizersRemain',
      `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
      'All content-preserving finalizers finished',
    ]),
  ];
  const before = namespace.status?.conditions ?? [];
  const next = conditions.reduce<readonly NamespaceCondition[]>((list, each) => withCondition(list, each), before);
  if (isDeepStrictEqual(next, before)) return;
  await api.update(
    namespaces,
    { ...namespace, status: { ...namespace.status, conditions: next } },
    { subresource: 'status' },
  );
}
