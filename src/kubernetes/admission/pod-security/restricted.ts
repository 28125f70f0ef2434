/** The Restricted level: current best practice for hardening pods. Kubernetes documentation, "Pod Security Standards", "Restricted". */
import type { Volume } from '../../types.ts';
import { containersOf, eachContainer, named, plural, quoted, type AnyContainer, type Check } from './check.ts';

const allowPrivilegeEscalation = eachContainer(
  'allowPrivilegeEscalation != false',
  ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
  (bad) => `${named(bad)} must set securityContext.allowPrivilegeEscalation=false`,
);

const capabilities: Check = ({ spec }) => {
  const undropped = containersOf(spec).filter(
    ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'),
  );
  const addedBy = ({ securityContext }: AnyContainer) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const adding = containersOf(spec).filter((container) => addedBy(container).length > 0);
  if (undropped.length === 0 && adding.length === 0) return undefined;
  const names = [...new Set(adding.flatMap(addedBy))].sort();
  const details = [
    ...(undropped.length > 0 ? [`${named(undropped)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [`${named(adding)} must not include ${quoted(names)} in securityContext.capabilities.add`]
      : []),
  ];
  return { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const allowedVolumes = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const restrictedVolumes: Check = ({ spec }) => {
  const typeOf = ({ name: _name, ...sources }: Volume) => Object.keys(sources)[0] ?? 'unknown';
  const bad = (spec.volumes ?? []).filter((volume) => !allowedVolumes.has(typeOf(volume)));
  if (bad.length === 0) return undefined;
  const types = [...new Set(bad.map(typeOf))].sort();
  return {
    reason: 'restricted volume types',
    detail: `${plural('volume', bad.length)} ${quoted(bad.map(({ name }) => name))} ${bad.length === 1 ? 'uses' : 'use'} restricted volume ${plural('type', types.length)} ${quoted(types)}`,
  };
};

const runAsNonRoot: Check = ({ spec }) => {
  const ofPod = spec.securityContext?.runAsNonRoot;
  const settingOf = ({ securityContext }: AnyContainer) => securityContext?.runAsNonRoot;
  const refusing = containersOf(spec).filter((container) => settingOf(container) === false);
  if (
    refusing.length > 0 ||
    (ofPod === false && containersOf(spec).some((container) => settingOf(container) === undefined))
  ) {
    const who = [...(ofPod === false ? ['pod'] : []), ...(refusing.length > 0 ? [named(refusing)] : [])].join(' and ');
    return { reason: 'runAsNonRoot != true', detail: `${who} must not set securityContext.runAsNonRoot=false` };
  }
  const silent = containersOf(spec).filter((container) => settingOf(container) === undefined);
  if (ofPod || silent.length === 0) return undefined;
  return {
    reason: 'runAsNonRoot != true',
    detail: `pod or ${named(silent)} must set securityContext.runAsNonRoot=true`,
  };
};

const runAsUser: Check = ({ spec }) => {
  const bad = containersOf(spec).filter(({ securityContext }) => securityContext?.runAsUser === 0);
  const isPodBad = spec.securityContext?.runAsUser === 0;
  if (!isPodBad && bad.length === 0) return undefined;
  const who = [...(isPodBad ? ['pod'] : []), ...(bad.length > 0 ? [named(bad)] : [])].join(' and ');
  return { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
};

const allowedProfiles = new Set(['Localhost', 'RuntimeDefault']);

const seccompProfile: Check = ({ spec }) => {
  const typeOf = ({ securityContext }: AnyContainer) => securityContext?.seccompProfile?.type;
  const ofPod = spec.securityContext?.seccompProfile?.type;
  const isPodBad = ofPod !== undefined && !allowedProfiles.has(ofPod);
  const bad = containersOf(spec).filter((container) => {
    const type = typeOf(container);
    return type !== undefined && !allowedProfiles.has(type);
  });
  if (isPodBad || bad.length > 0) {
    const who = [...(isPodBad ? ['pod'] : []), ...(bad.length > 0 ? [named(bad)] : [])].join(' and ');
    const types = [...new Set([...(isPodBad ? [ofPod] : []), ...bad.map((container) => typeOf(container)!)])].sort();
    return {
      reason: 'seccompProfile',
      detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(types)}`,
    };
  }
  const silent = containersOf(spec).filter((container) => typeOf(container) === undefined);
  if (ofPod !== undefined || silent.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${named(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

export const restrictedChecks = {
  allowPrivilegeEscalation,
  capabilities,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompProfile,
} satisfies { readonly [name: string]: Check };
