/** Gives a pod the overhead and the places of its runtime class. Upstream: `plugin/pkg/admission/runtimeclass`. */
import type { AdmissionPlugin, AdmissionRequest } from '../auth/user.ts';
import { pods, runtimeClasses } from '../resources.ts';
import type { Pod, PodSpec, RuntimeClass } from '../types.ts';
import { creates, reader, refusal, type AdmissionParts } from './plugin.ts';

export function runtimeClass({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const classes = reader(informers.of(runtimeClasses));
  return {
    name: 'RuntimeClass',
    async mutate(request) {
      if (!creates(request, pods)) return request.object!;
      const pod = request.object as Pod;
      const name = pod.spec?.runtimeClassName;
      if (!name) return pod;
      const found = (await classes()).get(name);
      if (!found) throw refusal(request, `pod rejected: RuntimeClass "${name}" not found`);
      return { ...pod, spec: withPlaces(request, withOverhead(request, pod.spec, found), found) };
    },
    async validate(request) {
      if (!creates(request, pods)) return [];
      const { spec } = request.object as Pod;
      if (spec?.overhead && !spec.runtimeClassName)
        throw refusal(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
      return [];
    },
  };
}

function withOverhead(request: AdmissionRequest, spec: PodSpec, { overhead }: RuntimeClass): PodSpec {
  const fixed = overhead?.podFixed;
  if (spec.overhead && JSON.stringify(spec.overhead) !== JSON.stringify(fixed ?? {}))
    throw refusal(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  return fixed ? { ...spec, overhead: fixed } : spec;
}

function withPlaces(request: AdmissionRequest, spec: PodSpec, { scheduling }: RuntimeClass): PodSpec {
  if (!scheduling) return spec;
  const own = spec.nodeSelector ?? {};
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {}))
    if (own[key] !== undefined && own[key] !== value)
      throw refusal(
        request,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own[key]}`,
      );
  const nodeSelector = { ...own, ...scheduling.nodeSelector };
  const tolerations = [...(spec.tolerations ?? []), ...(scheduling.tolerations ?? [])];
  return {
    ...spec,
    ...(Object.keys(nodeSelector).length > 0 && { nodeSelector }),
    ...(tolerations.length > 0 && { tolerations }),
  };
}
