/** The replica sets of a deployment as its history: which is new, which revision each is. Behaviour: kubernetes `pkg/controller/deployment/util`. */
import { isDeepStrictEqual } from 'node:util';
import { deployments, replicaSets } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../types.ts';
import type { ControllerParts, Step } from '../controller.ts';
import { byAge, isDeleting, metaOf } from '../meta.ts';
import { controllerReference, isControlledBy } from '../ownership.ts';
import { templateHash } from '../template-hash.ts';
import type { Settings } from './settings.ts';

export const HASH = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
const HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED = 'deployment.kubernetes.io/desired-replicas';
export const MAXIMUM = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a deployment that its replica sets do not inherit. */
const own = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  HISTORY,
  DESIRED,
  MAXIMUM,
  'deprecated.deployment.rollback.to',
]);

export function tell(
  { events }: ControllerParts,
  deployment: Deployment,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
): void {
  events.as('deployment-controller').record(deployments, deployment, { type, reason, message });
}

/** What a set notes of its deployment's size. */
export function desiredAnnotations({ replicas, maxSurge }: Settings): { readonly [name: string]: string } {
  return { [DESIRED]: String(replicas), [MAXIMUM]: String(replicas + maxSurge) };
}

export function revisionOf({ metadata }: ReplicaSet | Deployment): number {
  return Number(metadata?.annotations?.[REVISION] ?? 0) || 0;
}

/** The oldest set whose template is the deployment's. */
export function findNewSet({ spec }: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets.toSorted(byAge).find((set) => isSameTemplate(set.spec!.template!, spec!.template));
}

function isSameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return isDeepStrictEqual(withoutHash(a), withoutHash(b));
}

function withoutHash({ metadata, ...template }: PodTemplateSpec): object {
  const { [HASH]: _hash, ...labels } = metadata?.labels ?? {};
  const { creationTimestamp: _created, ...rest } = metadata ?? {};
  return { ...template, metadata: { ...rest, labels } };
}

/** The new set as it should be noted in history: its revision one above all others, the deployment's annotations. Undefined if it is so already. */
export function annotated(
  deployment: Deployment,
  set: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): ReplicaSet | undefined {
  const minReadySeconds = deployment.spec?.minReadySeconds;
  const annotations = { ...set.metadata?.annotations, ...inherited(deployment) };
  const latest = Math.max(0, ...oldSets.map(revisionOf)) + 1;
  const before = revisionOf(set);
  if (before < latest) {
    annotations[REVISION] = String(latest);
    // A rollback gives an old set a new number; the old ones are kept for `kubectl rollout history`.
    const history = annotations[HISTORY];
    if (before > 0) annotations[HISTORY] = history ? `${history},${before}` : String(before);
  }
  const isSame =
    isDeepStrictEqual(annotations, set.metadata?.annotations ?? {}) &&
    (minReadySeconds ?? 0) === (set.spec?.minReadySeconds ?? 0);
  if (isSame) return undefined;
  return {
    ...set,
    metadata: { ...set.metadata, annotations },
    spec: { ...set.spec!, ...(minReadySeconds !== undefined && { minReadySeconds }) },
  };
}

function inherited({ metadata }: Deployment): { [name: string]: string } {
  return Object.fromEntries(Object.entries(metadata?.annotations ?? {}).filter(([name]) => !own.has(name)));
}

export interface NewSetRequest {
  readonly deployment: Deployment;
  readonly settings: Settings;
  readonly oldSets: readonly ReplicaSet[];
  readonly replicas: number;
  readonly step: Step;
}

/** Makes the set of the deployment's template. A name that another template took gives 'collision': the deployment must count it. */
export async function createNewSet(request: NewSetRequest): Promise<ReplicaSet | 'collision'> {
  const { deployment, step } = request;
  const draft = draftOf(request);
  try {
    return await step.api.create(replicaSets, draft);
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    const { name } = draft.metadata!;
    const { namespace } = deployment.metadata!;
    const there = await step.api.get(replicaSets, { namespace, name: name! });
    const isOurs = isControlledBy(there, deployment) && !isDeleting(there);
    return isOurs && findNewSet(deployment, [there]) ? there : 'collision';
  }
}

function draftOf({ deployment, settings, oldSets, replicas }: NewSetRequest): ReplicaSet {
  const { name, namespace } = metaOf(deployment);
  const { template, selector, minReadySeconds } = deployment.spec!;
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [HASH]: hash };
  const revision = String(Math.max(0, ...oldSets.map(revisionOf)) + 1);
  return {
    metadata: {
      ...(namespace && { namespace }),
      name: `${name}-${hash}`,
      labels,
      annotations: { ...inherited(deployment), ...desiredAnnotations(settings), [REVISION]: revision },
      ownerReferences: [controllerReference(deployments, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds !== undefined && { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
