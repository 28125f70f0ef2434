/** The pods that a job makes. Behaviour: kubernetes `pkg/controller/job`, "manageJob". */
import { jobs } from '../../resources.ts';
import type { Container, Job, Pod } from '../../types.ts';
import { instantOf, metaOf } from '../meta.ts';
import { isActive, podOf } from '../pods.ts';
import { batchLabel, labelsOf, TRACKING } from './labels.ts';
import { indexOf, type JobSettings } from './settings.ts';
import { type Counts, failuresOf } from './tracking.ts';

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 600_000;

/** A pod of the job; of its next index if it has them. */
export function jobPod(
  job: Job,
  index: { readonly index: number; readonly failures: number | undefined } | undefined,
): Pod {
  const { name } = metaOf(job);
  const pod = podOf(job.spec!.template, jobs, job);
  const labels = { ...pod.metadata?.labels, ...labelsOf(job) };
  const finalizers = [...(pod.metadata?.finalizers ?? []), TRACKING];
  if (!index) return { ...pod, metadata: { ...pod.metadata, labels, finalizers, generateName: `${name}-` } };
  const label = { [batchLabel('job-completion-index')]: String(index.index) };
  const annotations = {
    ...pod.metadata?.annotations,
    ...label,
    ...(index.failures !== undefined && { [batchLabel('job-index-failure-count')]: String(index.failures) }),
  };
  const hostname = `${name}-${index.index}`;
  const spec = pod.spec!;
  return {
    metadata: {
      ...pod.metadata,
      labels: { ...labels, ...label },
      annotations,
      finalizers,
      generateName: `${name}-${index.index}-`,
    },
    spec: {
      ...spec,
      hostname: spec.hostname ?? hostname,
      containers: spec.containers.map(withIndex),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(withIndex) }),
    },
  };
}

function withIndex(container: Container): Container {
  const name = 'JOB_COMPLETION_INDEX';
  if (container.env?.some((variable) => variable.name === name)) return container;
  const fieldPath = `metadata.annotations['${batchLabel('job-completion-index')}']`;
  return { ...container, env: [...(container.env ?? []), { name, valueFrom: { fieldRef: { fieldPath } } }] };
}

/** How many pods should be active now. */
export function wantedActive(
  { completions, parallelism, isSuspended }: JobSettings,
  counts: Counts,
  active: number,
): number {
  if (isSuspended) return 0;
  // A work queue: when one is done, no others are started.
  if (completions === undefined) return counts.succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  const left = completions - counts.succeeded - counts.failedIndexes.size;
  return Math.max(0, Math.min(left, parallelism));
}

/** The lowest indexes that nobody works on, with how often each has failed. */
export function nextIndexes(
  settings: JobSettings,
  { counts, pods, count }: { readonly counts: Counts; readonly pods: readonly Pod[]; readonly count: number },
): readonly { readonly index: number; readonly failures: number | undefined }[] {
  const { completions = 0, backoffLimitPerIndex } = settings;
  const taken = new Set(pods.filter(isActive).map((pod) => indexOf(pod, completions)));
  const next: { index: number; failures: number | undefined }[] = [];
  for (let index = 0; index < completions && next.length < count; index++) {
    if (taken.has(index) || counts.completedIndexes.has(index) || counts.failedIndexes.has(index)) continue;
    const before = pods.filter((pod) => indexOf(pod, completions) === index);
    const failures = before.length ? Math.max(...before.map(failuresOf)) + 1 : 0;
    next.push({ index, failures: backoffLimitPerIndex === undefined ? undefined : failures });
  }
  return next;
}

/** How long until new pods may follow failed ones: doubled with each failure since the last success. */
export function backoffMs(pods: readonly Pod[], nowMs: number): number {
  const lastSuccess = Math.max(0, ...pods.filter(({ status }) => status?.phase === 'Succeeded').map(endedAt));
  const failures = pods
    .filter(({ status }) => status?.phase === 'Failed')
    .map(endedAt)
    .filter((at) => at > lastSuccess);
  if (!failures.length) return 0;
  const pauseMs = Math.min(FIRST_BACKOFF_MS * 2 ** (failures.length - 1), LONGEST_BACKOFF_MS);
  return Math.max(0, Math.max(...failures) + pauseMs - nowMs);
}

function endedAt({ status, metadata }: Pod): number {
  const ends = (status?.containerStatuses ?? []).flatMap(({ state }) => state?.terminated?.finishedAt ?? []);
  const conditions = (status?.conditions ?? []).flatMap(({ lastTransitionTime }) => lastTransitionTime ?? []);
  const known = ends.length ? ends : conditions;
  return known.length ? Math.max(...known.map(instantOf)) : instantOf(metadata?.creationTimestamp);
}
