/** What a job's failure policy says of a failed pod. Behaviour: kubernetes `pkg/controller/job/pod_failure_policy.go`. */
import type { Job, Pod } from '../../types.ts';

type Policy = NonNullable<NonNullable<Job['spec']>['podFailurePolicy']>;
type Rule = Policy['rules'][number];

export interface Verdict {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  readonly message: string;
}

/** The verdict of the first rule that matches; pods that none does are counted. */
export function judge(policy: Policy | undefined, pod: Pod): Verdict {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const why = matchOf(rule, pod);
    // A policy of an action that we do not know is one that we must not act on.
    if (why)
      return {
        action: rule.action as Verdict['action'],
        message: `${why} matching ${rule.action} rule at index ${index}`,
      };
  }
  return { action: 'Count', message: '' };
}

function matchOf({ onExitCodes, onPodConditions }: Rule, { metadata, status }: Pod): string | undefined {
  const name = `${metadata?.namespace}/${metadata?.name}`;
  if (onExitCodes) {
    for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
      const exitCode = container.state?.terminated?.exitCode;
      if (!exitCode || (onExitCodes.containerName && onExitCodes.containerName !== container.name)) continue;
      if (onExitCodes.values.includes(exitCode) === (onExitCodes.operator === 'In'))
        return `Container ${container.name} for pod ${name} failed with exit code ${exitCode}`;
    }
    return undefined;
  }
  for (const { type, status: wanted } of onPodConditions ?? [])
    if (status?.conditions?.some((condition) => condition.type === type && condition.status === (wanted ?? 'True')))
      return `Pod ${name} has condition ${type}`;
  return undefined;
}
