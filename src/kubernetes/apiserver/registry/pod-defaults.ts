/** Defaults of pods and of the templates they are made from. Behaviour: `pkg/apis/core/v1/defaults.go` of v1.34. */
import type { Container, PodSpec, PodTemplateSpec, Probe, Volume } from '../../types.ts';
import type { Draft } from '../draft.ts';

/** In place; what is already said stays. */
export function defaultPodTemplate(template: Draft<PodTemplateSpec>): void {
  if (template.spec) defaultPodSpec(template.spec);
}

export function defaultPodSpec(spec: Draft<PodSpec>): void {
  spec.restartPolicy ??= 'Always';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.securityContext ??= {};
  spec.schedulerName ||= 'default-scheduler';
  if (spec.serviceAccountName || spec.serviceAccount) {
    spec.serviceAccountName ||= spec.serviceAccount!;
    spec.serviceAccount = spec.serviceAccountName;
  }
  for (const container of spec.initContainers ?? []) defaultContainer(container, spec);
  for (const container of spec.containers ?? []) defaultContainer(container, spec);
  for (const container of spec.ephemeralContainers ?? []) {
    // An ephemeral container has a container's fields, of which these are all it may have.
    defaultImage(container);
    container.terminationMessagePath ||= '/dev/termination-log';
    container.terminationMessagePolicy ||= 'File';
  }
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const constraint of spec.topologySpreadConstraints ?? []) {
    constraint.nodeAffinityPolicy ??= 'Honor';
    constraint.nodeTaintsPolicy ??= 'Ignore';
  }
}

function defaultImage(container: { image?: string; imagePullPolicy?: string }): void {
  container.imagePullPolicy ||= isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent';
}

/** No digest and the tag `latest`, written or meant. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false;
  const tag = /:([^/:]*)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest';
}

function defaultContainer(container: Draft<Container>, spec: Draft<PodSpec>): void {
  defaultImage(container);
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  const { limits } = container.resources;
  if (limits && Object.keys(limits).length)
    // What is limited and not requested is requested.
    container.resources.requests = { ...limits, ...container.resources.requests };
  for (const port of container.ports ?? []) {
    port.protocol ||= 'TCP';
    if (spec.hostNetwork) port.hostPort ??= port.containerPort;
  }
  for (const { valueFrom } of container.env ?? []) if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ||= 'v1';
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe) defaultProbe(probe);
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    if (handler?.httpGet) defaultHttpGet(handler.httpGet);
}

function defaultProbe(probe: Draft<Probe>): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.httpGet) defaultHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
}

function defaultHttpGet(get: { path?: string; scheme?: string }): void {
  get.path ||= '/';
  get.scheme ||= 'HTTP';
}

const fileMode = 0o644;

function defaultVolume(volume: Draft<Volume>): void {
  const kinds = Object.keys(volume).filter((key) => key !== 'name');
  if (!kinds.length) volume.emptyDir = {};
  for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected])
    if (source) source.defaultMode ??= fileMode;
  for (const { fieldRef } of volume.downwardAPI?.items ?? []) if (fieldRef) fieldRef.apiVersion ||= 'v1';
  for (const { serviceAccountToken, downwardAPI } of volume.projected?.sources ?? []) {
    if (serviceAccountToken) serviceAccountToken.expirationSeconds ??= 3600;
    for (const { fieldRef } of downwardAPI?.items ?? []) if (fieldRef) fieldRef.apiVersion ||= 'v1';
  }
  if (volume.hostPath) volume.hostPath.type ??= '';
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (claim) claim.volumeMode ??= 'Filesystem';
  if (volume.iscsi) volume.iscsi.iscsiInterface ||= 'default';
  if (volume.rbd) {
    volume.rbd.pool ||= 'rbd';
    volume.rbd.user ||= 'admin';
    volume.rbd.keyring ||= '/etc/ceph/keyring';
  }
  if (volume.scaleIO) {
    volume.scaleIO.storageMode ||= 'ThinProvisioned';
    volume.scaleIO.fsType ||= 'xfs';
  }
  if (volume.azureDisk) {
    volume.azureDisk.cachingMode ??= 'ReadWrite';
    volume.azureDisk.kind ??= 'Shared';
    volume.azureDisk.fsType ??= 'ext4';
    volume.azureDisk.readOnly ??= false;
  }
  if (volume.image) volume.image.pullPolicy ||= isLatest(volume.image.reference ?? '') ? 'Always' : 'IfNotPresent';
}
