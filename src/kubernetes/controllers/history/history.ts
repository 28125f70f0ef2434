/**
 * The templates that an object has had, as controller revisions: what `kubectl rollout history` shows of stateful and daemon sets and `undo` goes back to.
 * Behaviour: kubernetes `pkg/controller/history`.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { controllerRevisions } from '../../resources.ts';
import type { LabelSelector } from '../../selector.ts';
import { isStatusError } from '../../status.ts';
import type { ControllerRevision, PodTemplateSpec } from '../../types.ts';
import type { Step } from '../controller.ts';
import { candidatesOf } from '../indexes.ts';
import { compareText, instantOf, metaOf, nameOf } from '../meta.ts';
import { claim, controllerReference } from '../ownership.ts';
import { templateHash } from '../template-hash.ts';

export const REVISION_HASH = 'controller-revision-hash';

/** Who has a history. */
export interface HistoryOwner {
  readonly type: ResourceType;
  readonly owner: KubernetesObject;
  readonly selector: LabelSelector;
  readonly template: PodTemplateSpec;
  /** How often a name was taken by another template. */
  readonly collisions: number;
}

/** What a revision keeps: a patch that brings the template back, as kubectl applies it. */
function dataOf(template: PodTemplateSpec): object {
  return { spec: { template: { ...template, $patch: 'replace' } } };
}

export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _directive, ...template } = (
    revision.data as { spec: { template: PodTemplateSpec & { $patch?: string } } }
  ).spec.template;
  return template;
}

/** The owner's revisions, oldest first; orphans are adopted. */
export async function revisionsOf(
  { type, owner, selector }: HistoryOwner,
  { informer, step }: { readonly informer: Informer<ControllerRevision>; readonly step: Step },
): Promise<readonly ControllerRevision[]> {
  const candidates = candidatesOf(informer, owner);
  const mine = await claim({ ...step, ownerType: type, owner, type: controllerRevisions, selector, candidates });
  return mine.toSorted(
    (a, b) =>
      a.revision - b.revision ||
      instantOf(a.metadata?.creationTimestamp) - instantOf(b.metadata?.creationTimestamp) ||
      compareText(metaOf(a).name, metaOf(b).name),
  );
}

/**
 * The revision of the template that is wanted now: the one there is, made the latest if it was not, or a new one. `collision`: its name is another template's; the owner counts that
 * in its status and comes again.
 */
export async function updateRevision(
  owner: HistoryOwner,
  revisions: readonly ControllerRevision[],
  step: Step,
): Promise<ControllerRevision | 'collision'> {
  const last = revisions.at(-1);
  const next = (last?.revision ?? 0) + 1;
  const same = revisions.findLast((revision) => isDeepStrictEqual(templateOf(revision), owner.template));
  if (!same) return create(owner, next, step);
  if (same === last) return same;
  // A rollback: the old template is the newest again.
  return step.api.update(controllerRevisions, { ...same, revision: next });
}

async function create(
  history: HistoryOwner,
  revision: number,
  { api }: Step,
): Promise<ControllerRevision | 'collision'> {
  const { type, owner, template, collisions } = history;
  const { name, namespace } = metaOf(owner);
  const hash = templateHash(template, collisions);
  const draft: ControllerRevision = {
    metadata: {
      ...(namespace && { namespace }),
      name: `${name}-${hash}`,
      labels: { ...template.metadata?.labels, [REVISION_HASH]: hash },
      ...(owner.metadata?.annotations && { annotations: owner.metadata.annotations }),
      ownerReferences: [controllerReference(type, owner)],
    },
    data: dataOf(template),
    revision,
  };
  try {
    return await api.create(controllerRevisions, draft);
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    const there = await api.get(controllerRevisions, { namespace, name: draft.metadata!.name! });
    return isDeepStrictEqual(there.data, draft.data) ? there : 'collision';
  }
}

/** Deletes the oldest revisions that no pod has, beyond what the limit keeps. */
export async function forgetRevisions(
  revisions: readonly ControllerRevision[],
  {
    isUsed,
    limit,
    step,
  }: { readonly isUsed: (revision: ControllerRevision) => boolean; readonly limit: number; readonly step: Step },
): Promise<void> {
  const unused = revisions.filter((revision) => !isUsed(revision));
  for (const revision of unused.slice(0, Math.max(0, unused.length - limit)))
    await step.api.delete(controllerRevisions, nameOf(revision)).catch((error: unknown) => {
      if (!isStatusError(error, 'NotFound')) throw error;
    });
}
