/** What Fargate runs a pod on, and what it does not run: Amazon EKS User Guide, "Fargate Pod configuration" and "AWS Fargate considerations". */
import { milliValue, quantityValue, type types } from '#kubernetes';
import { smallestFargateSize, type FargateSize } from '../../fargate-sizes.ts';

/** What Fargate keeps for itself beside each pod. */
const OVERHEAD_MIB = 256;
const BYTES_PER_MIB = 2 ** 20;

/** Volumes that live with the pod, or somewhere that pods on any machine reach. */
const volumeKinds = ['emptyDir', 'configMap', 'secret', 'projected', 'downwardAPI', 'nfs'] as const;

/** Why Fargate does not run the pod, in its scheduler's words; undefined if it does. */
export function fargateRefusal(pod: types.Pod): string | undefined {
  const { spec } = pod;
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const fields = [
    spec?.hostNetwork && 'HostNetwork',
    spec?.hostPID && 'HostPID',
    spec?.hostIPC && 'HostIPC',
    containers.some(({ ports }) => ports?.some(({ hostPort }) => hostPort)) && 'HostPort',
  ].filter(Boolean);
  const security = [
    containers.some(({ securityContext }) => securityContext?.privileged) && 'Privileged',
    containers.some(({ securityContext }) => securityContext?.allowPrivilegeEscalation) && 'AllowPrivilegeEscalation',
  ].filter(Boolean);
  const volumes = (spec?.volumes ?? []).filter((volume) => !volumeKinds.some((kind) => volume[kind]));
  const reasons = [
    fields.length && `fields not supported: ${fields.join(', ')}`,
    security.length && `invalid SecurityContext fields: ${security.join(', ')}`,
    volumes.length &&
      `volumes not supported: ${volumes.map(({ name }) => `${name} is of an unsupported volume Type`).join(', ')}`,
    !fargateSize(pod) && "the pod's cpu/memory requirements exceed the max Fargate configuration",
  ].filter(Boolean);
  return reasons.length ? `Pod not supported on Fargate: ${reasons.join(', ')}` : undefined;
}

/** The smallest size that holds what all containers ask for together, or the largest init container alone. */
export function fargateSize({ spec }: types.Pod): FargateSize | undefined {
  const asked = (containers: readonly types.Container[] | undefined, name: 'cpu' | 'memory') =>
    (containers ?? []).map(({ resources }) => {
      const text = resources?.requests?.[name] ?? resources?.limits?.[name] ?? '0';
      return name === 'cpu' ? milliValue(text) : quantityValue(text) / BYTES_PER_MIB;
    });
  const isSidecar = ({ restartPolicy }: types.Container) => restartPolicy === 'Always';
  const sidecars = (spec?.initContainers ?? []).filter(isSidecar);
  const first = (spec?.initContainers ?? []).filter((container) => !isSidecar(container));
  const most = (name: 'cpu' | 'memory') => {
    const together = asked([...(spec?.containers ?? []), ...sidecars], name);
    return Math.max(
      together.reduce((total, each) => total + each, 0),
      ...asked(first, name),
    );
  };
  return smallestFargateSize({
    cpuUnits: Math.ceil((most('cpu') * 1024) / 1000),
    memoryMiB: Math.ceil(most('memory') + OVERHEAD_MIB),
  });
}

/** As the annotation `CapacityProvisioned` has it: `0.25vCPU 0.5GB`. */
export function capacityText({ cpuUnits, memoryMiB }: FargateSize): string {
  return `${cpuUnits / 1024}vCPU ${memoryMiB / 1024}GB`;
}
