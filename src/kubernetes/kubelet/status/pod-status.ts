import type * as types from '../../types.ts';
import { qosClassOf } from '../../qos.ts';
import type { ResizeState } from '../pod/resize.ts';
import { conditionsOf, mergeConditions } from './conditions.ts';
import { phaseOf, type Judged } from './phase.ts';

/** All that a pod's status is made from. */
export interface PodFacts {
  readonly containers: readonly Judged[];
  readonly hasSandbox: boolean;
  readonly podIp: string | undefined;
  readonly hostIp: string;
  /** When the kubelet first saw it. */
  readonly startTime: string;
  readonly now: string;
  /** The pod was ended for a reason of its own: deadline, rejection, eviction. */
  readonly failure?: { readonly reason: string; readonly message: string };
  /** It had to make room on its node. */
  readonly isEvicted?: boolean;
  /** How the change of its resources stands. */
  readonly resize?: ResizeState | undefined;
  /** The pod is being deleted and everything of it has ended. */
  readonly isEnded?: boolean;
}

/** The status of a pod, over what its object says now. */
export function podStatus(pod: types.Pod, facts: PodFacts): types.PodStatus {
  const { containers, podIp, hostIp, failure } = facts;
  const counted = phaseOf(pod, containers);
  const phase = failure ? 'Failed' : facts.isEnded ? ended(counted, containers) : counted;
  const of = (...roles: readonly string[]) =>
    containers.filter(({ container }) => roles.includes(container.role)).map(({ status }) => status);
  const [inits, mains, ephemeral] = [of('init', 'sidecar'), of('main'), of('ephemeral')];
  const { generation } = pod.metadata ?? {};
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase,
    conditions: mergeConditions(
      pod.status?.conditions ?? [],
      [
        ...conditionsOf(pod, { phase, containers, hasSandbox: facts.hasSandbox, resize: facts.resize }),
        ...(facts.isEvicted && failure ? [evictedCondition(failure)] : []),
      ],
      facts.now,
    ),
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    ...(podIp !== undefined && { podIP: podIp, podIPs: [{ ip: podIp }] }),
    startTime: facts.startTime,
    ...(inits.length > 0 && { initContainerStatuses: inits }),
    containerStatuses: mains,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    qosClass: pod.status?.qosClass ?? qosClassOf(pod),
    ...failure,
  };
}

/** "Pod disruption conditions", Kubernetes documentation. */
function evictedCondition({ message }: { readonly message: string }) {
  return { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message };
}

/** A pod that was told to end has failed unless all of it succeeded. */
function ended(phase: string, containers: readonly Judged[]): string {
  if (phase === 'Succeeded' || phase === 'Failed') return phase;
  const mains = containers.filter(({ container }) => container.role === 'main');
  const isSuccess = mains.length > 0 && mains.every(({ status }) => status.state?.terminated?.exitCode === 0);
  return isSuccess ? 'Succeeded' : 'Failed';
}
