/** Pods that a Fargate profile selects are told so as they are admitted: they are the profile's, and no ordinary node's. */
import type { AdmissionPlugin, types } from '#kubernetes';
import { idIn } from '../names.ts';
import { FARGATE_SCHEDULER } from '../nodes/events.ts';
import { formOf, hasForm } from '../../wildcard.ts';
import type { ClusterRecord, FargateProfileRecord } from '../records.ts';
import type { EksState } from '../state.ts';

/** Names the profile; a pod may itself choose among those that select it: Amazon EKS User Guide, "Fargate profile components". */
export const PROFILE_LABEL = 'eks.amazonaws.com/fargate-profile';

export function fargatePods(state: Pick<EksState, 'fargateProfiles'>, cluster: ClusterRecord): AdmissionPlugin {
  return {
    name: 'EKSFargatePods',
    async mutate({ operation, type, subresource, object, namespace = '' }) {
      const isNewPod = operation === 'CREATE' && type.group === '' && type.resource === 'pods' && !subresource;
      if (!isNewPod) return object!;
      const pod: types.Pod = object!;
      const all = await state.fargateProfiles.list(idIn({ ...cluster, cluster: cluster.name }, ''));
      const matching = all.map(({ value }) => value).filter((profile) => selects(profile, namespace, pod));
      const wish = pod.metadata?.labels?.[PROFILE_LABEL];
      const profile = matching.find(({ name }) => name === wish) ?? matching[0];
      return profile && isFree(pod) ? placed(pod, profile.name) : pod;
    },
  };
}

/** Namespaces and labels of selectors may hold `*` and `?`. */
function selects({ status, selectors }: FargateProfileRecord, namespace: string, { metadata }: types.Pod): boolean {
  if (status !== 'ACTIVE') return false;
  return selectors.some(
    (selector) =>
      like(selector.namespace, namespace) &&
      Object.entries(selector.labels).every(([key, value]) => {
        const own = metadata?.labels?.[key];
        return own !== undefined && like(value, own);
      }),
  );
}

function like(pattern: string, text: string): boolean {
  return hasForm(formOf(pattern), text);
}

/** Pods that are bound already, that another scheduler places, or that a daemon set keeps on its own nodes are left alone. */
function isFree({ spec, metadata }: types.Pod): boolean {
  const isDaemon = metadata?.ownerReferences?.some(({ kind }) => kind === 'DaemonSet') ?? false;
  return !spec?.nodeName && !isDaemon && (spec?.schedulerName ?? 'default-scheduler') === 'default-scheduler';
}

function placed(pod: types.Pod, profile: string): types.Pod {
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata?.labels, [PROFILE_LABEL]: profile } },
    spec: { ...pod.spec!, schedulerName: FARGATE_SCHEDULER },
  };
}
