/** The spec of a pod, alone or in a template: `pkg/apis/core/validation`, "ValidatePodSpec". */
import type { PodSpec, PodTemplateSpec } from '../types.ts';
import {
  containerErrors,
  duplicateNames,
  hostPortConflicts,
  type ContainerRole,
  type PodContext,
} from './container.ts';
import {
  atLeastZero,
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  notSupported,
  oneOf,
  present,
  required,
  unique,
  when,
  type Errors,
} from './field.ts';
import { labelErrors, annotationErrors } from './metadata.ts';
import { dnsLabel, dnsSubdomain, ipAddress, qualifiedName } from './names.ts';
import { affinityErrors, spreadErrors, tolerationErrors } from './node-selector.ts';
import { containerResourceErrors, resourceListErrors } from './quantities.ts';
import { hostNamespaceErrors, podSecurityErrors } from './security-context.ts';
import { volumesErrors } from './volume.ts';

const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];

/** `old` is the spec that it takes the place of, if it is a pod's. */
export function podSpecErrors(spec: PodSpec | undefined, field: string, old?: PodSpec): Errors {
  if (!spec) return [required(`${field}.containers`)];
  return [
    ...volumesErrors(spec, `${field}.volumes`),
    ...allContainerErrors(spec, field, old),
    ...oneOf(spec.restartPolicy ?? 'Always', `${field}.restartPolicy`, restartPolicies),
    ...dnsErrors(spec, field),
    ...labelErrors(spec.nodeSelector, `${field}.nodeSelector`),
    ...nameErrors(spec, field),
    ...podSecurityErrors(spec.securityContext, `${field}.securityContext`),
    ...hostNamespaceErrors(spec, `${field}.securityContext`),
    ...affinityErrors(spec.affinity, `${field}.affinity`),
    ...tolerationErrors(spec.tolerations, `${field}.tolerations`),
    ...spreadErrors(spec.topologySpreadConstraints, `${field}.topologySpreadConstraints`),
    ...containerResourceErrors(spec.resources, `${field}.resources`),
    ...resourceListErrors(spec.overhead, `${field}.overhead`),
    ...timeErrors(spec, field),
    ...hostAliasErrors(spec.hostAliases, `${field}.hostAliases`),
    ...each(spec.readinessGates, `${field}.readinessGates`, ({ conditionType }, path) =>
      messagesOf(qualifiedName(conditionType ?? ''), `${path}.conditionType`, conditionType),
    ),
    ...gateErrors(spec, field),
    ...oneOf(spec.preemptionPolicy, `${field}.preemptionPolicy`, ['Never', 'PreemptLowerPriority']),
    ...(spec.os ? oneOf(spec.os.name, `${field}.os.name`, ['linux', 'windows'], { isRequired: true }) : []),
  ];
}

/** The template of a workload: `ValidatePodTemplateSpec`. */
export function templateErrors(template: PodTemplateSpec | undefined, field: string): Errors {
  if (!template) return [required(field)];
  return [
    ...labelErrors(template.metadata?.labels, `${field}.labels`),
    ...annotationErrors(template.metadata?.annotations, `${field}.annotations`),
    ...podSpecErrors(template.spec, `${field}.spec`),
    ...when(template.spec?.ephemeralContainers?.length, () =>
      forbiddenField(`${field}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    ),
  ];
}

function contextOf(spec: PodSpec, old: PodSpec | undefined): PodContext {
  const volumes = spec.volumes ?? [];
  const isDevice = (volume: (typeof volumes)[number]) => volume.persistentVolumeClaim ?? volume.ephemeral;
  return {
    volumeNames: new Set(volumes.map(({ name }) => name)),
    deviceVolumeNames: new Set(volumes.filter(isDevice).map(({ name }) => name)),
    hostNetwork: spec.hostNetwork ?? false,
    hostUsers: spec.hostUsers ?? true,
    // What was stored before this was known has to end like any other.
    areDevicesForbidden: spec.hostUsers === false && !(old && hasDevices(old)),
    restartPolicy: spec.restartPolicy,
  };
}

function hasDevices({ containers = [], initContainers = [], ephemeralContainers = [] }: Partial<PodSpec>): boolean {
  return [...containers, ...initContainers, ...ephemeralContainers].some(({ volumeDevices }) => volumeDevices?.length);
}

function allContainerErrors(spec: PodSpec, field: string, old: PodSpec | undefined): Errors {
  const context = contextOf(spec, old);
  const of = (role: ContainerRole) =>
    each<Parameters<typeof containerErrors>[0]>(spec[role], `${field}.${role}`, (container, path) =>
      containerErrors(container, path, role, context),
    );
  return [
    ...when(!spec.containers?.length, () => required(`${field}.containers`)),
    ...of('containers'),
    ...hostPortConflicts(spec.containers, `${field}.containers`),
    ...of('initContainers'),
    ...of('ephemeralContainers'),
    ...duplicateNames(spec, field),
    ...each(spec.ephemeralContainers, `${field}.ephemeralContainers`, ({ targetContainerName: target }, path) =>
      when(
        target &&
          ![...(present(spec.containers) ?? []), ...(spec.initContainers ?? [])].some(({ name }) => name === target),
        () => ({
          type: 'Not found' as const,
          field: `${path}.targetContainerName`,
          message: `Not found: ${JSON.stringify(target)}`,
        }),
      ),
    ),
  ];
}

function dnsErrors({ dnsPolicy, dnsConfig }: PodSpec, field: string): Errors {
  const { nameservers, searches, options } = dnsConfig ?? {};
  const path = `${field}.dnsConfig`;
  return [
    ...oneOf(dnsPolicy, `${field}.dnsPolicy`, dnsPolicies),
    ...when(dnsPolicy === 'None' && !dnsConfig, () =>
      required(path, 'must provide `dnsConfig` when `dnsPolicy` is None'),
    ),
    ...when(dnsPolicy === 'None' && dnsConfig && !nameservers?.length, () =>
      required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
    ),
    ...when((nameservers?.length ?? 0) > 3, () =>
      invalidValue(`${path}.nameservers`, nameservers, 'must not have more than 3 nameservers'),
    ),
    ...each(nameservers, `${path}.nameservers`, (server, serverPath) =>
      messagesOf(ipAddress(server), serverPath, server),
    ),
    ...when((searches?.length ?? 0) > 32, () =>
      invalidValue(`${path}.searches`, searches, 'must not have more than 32 search paths'),
    ),
    ...each(searches, `${path}.searches`, (search, searchPath) =>
      search === '.'
        ? []
        : messagesOf(dnsSubdomain(search.replace(/\.$/, '').replaceAll('_', '-')), searchPath, search),
    ),
    ...each(options, `${path}.options`, ({ name }, optionPath) =>
      when(!name, () => required(optionPath, 'must not be empty')),
    ),
  ];
}

function nameErrors(spec: PodSpec, field: string): Errors {
  const subdomains = (['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const).flatMap(
    (name) => (spec[name] ? messagesOf(dnsSubdomain(spec[name]), `${field}.${name}`, spec[name]) : []),
  );
  const labels = (['hostname', 'subdomain'] as const).flatMap((name) =>
    spec[name] ? messagesOf(dnsLabel(spec[name]), `${field}.${name}`, spec[name]) : [],
  );
  return [...subdomains, ...labels];
}

function timeErrors({ activeDeadlineSeconds, terminationGracePeriodSeconds }: PodSpec, field: string): Errors {
  return [
    ...when(
      activeDeadlineSeconds !== undefined && (activeDeadlineSeconds < 1 || activeDeadlineSeconds > 2 ** 31 - 1),
      () =>
        invalidValue(
          `${field}.activeDeadlineSeconds`,
          activeDeadlineSeconds,
          'must be between 1 and 2147483647, inclusive',
        ),
    ),
    ...atLeastZero(terminationGracePeriodSeconds, `${field}.terminationGracePeriodSeconds`),
  ];
}

function hostAliasErrors(aliases: PodSpec['hostAliases'], field: string): Errors {
  return each(aliases, field, ({ ip, hostnames }, path) => [
    ...messagesOf(ipAddress(ip ?? ''), `${path}.ip`, ip),
    ...each(hostnames, `${path}.hostnames`, (name) => messagesOf(dnsSubdomain(name), `${path}.hostnames`, name)),
  ]);
}

function gateErrors({ schedulingGates, nodeName }: PodSpec, field: string): Errors {
  return [
    ...each(schedulingGates, `${field}.schedulingGates`, ({ name }, path) =>
      messagesOf(qualifiedName(name ?? ''), path, name),
    ),
    ...unique(schedulingGates, `${field}.schedulingGates`, ({ name }) => name),
    ...when(schedulingGates?.length && nodeName, () =>
      forbiddenField(`${field}.nodeName`, 'cannot be set until all schedulingGates have been cleared'),
    ),
  ];
}

/** What a controller that keeps pods running demands of its template. */
export function alwaysRestartsErrors(spec: PodSpec | undefined, field: string, kind: string): Errors {
  const policy = spec?.restartPolicy ?? 'Always';
  return [
    ...when(policy !== 'Always', () => notSupported(`${field}.restartPolicy`, policy, ['Always'])),
    ...when(spec?.activeDeadlineSeconds !== undefined, () =>
      forbiddenField(`${field}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`),
    ),
  ];
}
