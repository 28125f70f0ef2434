import type { Job, Pod } from '../../types.ts';
import { type LabelSelector, labelSelectorOf, labelSelectorOfMap } from '../../selector.ts';
import { metaOf } from '../meta.ts';

/** Holds a pod until its end is counted in the job's status. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';

export function batchLabel(name: string): string {
  return `batch.kubernetes.io/${name}`;
}

/** The labels of a job's pods; the unprefixed ones are the older names of the same. */
export function labelsOf(job: Job): { readonly [name: string]: string } {
  const { name, uid } = metaOf(job);
  return {
    [batchLabel('controller-uid')]: uid,
    [batchLabel('job-name')]: name,
    'controller-uid': uid,
    'job-name': name,
  };
}

export function selectorOf(job: Job): LabelSelector {
  const { selector } = job.spec ?? {};
  return selector ? labelSelectorOf(selector) : labelSelectorOfMap({ [batchLabel('controller-uid')]: metaOf(job).uid });
}

export function isTracked({ metadata }: Pod): boolean {
  return metadata?.finalizers?.includes(TRACKING) ?? false;
}
