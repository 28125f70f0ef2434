/** Containers of a pod: names, images, ports, environment, mounts, lifecycle. Upstream: `pkg/apis/core/validation`, "validateContainers". */
import type { Container, PodSpec } from '../types.ts';
import {
  duplicate,
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  notFoundValue,
  notSupported,
  oneOf,
  required,
  unique,
  when,
  type Errors,
} from './field.ts';
import { dnsLabel, dnsSubdomain, environmentName, portName, portNumber } from './names.ts';
import { descendingPathErrors } from './paths.ts';
import { handlerErrors, probeErrors } from './probe.ts';
import { containerResourceErrors } from './quantities.ts';
import { environmentFields, fieldReferenceErrors, keyReferenceErrors, resourceReferenceErrors } from './references.ts';
import { containerSecurityErrors } from './security-context.ts';

export type AnyContainer = Container | NonNullable<PodSpec['ephemeralContainers']>[number];
export type ContainerRole = 'containers' | 'initContainers' | 'ephemeralContainers';

/** What containers refer to in their pod. */
export interface PodContext {
  readonly volumeNames: ReadonlySet<string>;
  readonly deviceVolumeNames: ReadonlySet<string>;
  readonly hostNetwork: boolean;
  readonly hostUsers: boolean;
  readonly areDevicesForbidden: boolean;
  readonly restartPolicy: string | undefined;
}

const protocols = ['SCTP', 'TCP', 'UDP'];

export function containerErrors(
  container: AnyContainer,
  path: string,
  role: ContainerRole,
  context: PodContext,
): Errors {
  const { name, image } = container;
  return [
    ...(name ? messagesOf(dnsLabel(name), `${path}.name`, name) : [required(`${path}.name`)]),
    ...when(!image, () => required(`${path}.image`)),
    ...when(image && image !== image.trim(), () =>
      invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'),
    ),
    ...portErrors(container.ports, `${path}.ports`, context),
    ...each(container.env, `${path}.env`, environmentErrors),
    ...each(container.envFrom, `${path}.envFrom`, environmentSourceErrors),
    ...mountErrors(container, path, context),
    ...deviceErrors(container, path, context),
    ...oneOf(container.imagePullPolicy, `${path}.imagePullPolicy`, ['Always', 'IfNotPresent', 'Never']),
    ...oneOf(container.terminationMessagePolicy, `${path}.terminationMessagePolicy`, ['FallbackToLogsOnError', 'File']),
    ...containerResourceErrors(container.resources, `${path}.resources`),
    ...resizePolicyErrors(container, `${path}.resizePolicy`, context),
    ...containerSecurityErrors(container.securityContext, `${path}.securityContext`, context.hostUsers),
    ...lifecycleErrors(container, path, role),
  ];
}

function resizePolicyErrors(
  { resizePolicy }: AnyContainer,
  field: string,
  { restartPolicy: ofPod }: PodContext,
): Errors {
  return [
    ...each(resizePolicy, field, ({ resourceName, restartPolicy }, path) => [
      ...oneOf(resourceName, `${path}.resourceName`, ['cpu', 'memory']),
      ...oneOf(restartPolicy, `${path}.restartPolicy`, ['NotRequired', 'RestartContainer']),
      ...when(ofPod === 'Never' && restartPolicy === 'RestartContainer', () =>
        invalidValue(`${path}.restartPolicy`, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"),
      ),
    ]),
    ...unique(resizePolicy, field, ({ resourceName }) => resourceName),
  ];
}

/** Names are unique over all containers of a pod, whatever their role. */
export function duplicateNames(spec: PodSpec, field: string): Errors {
  const seen = new Set<string>();
  const roles = ['initContainers', 'containers', 'ephemeralContainers'] as const;
  return roles.flatMap((role) =>
    each<AnyContainer>(spec[role], `${field}.${role}`, ({ name }, path) => {
      const isKnown = name !== '' && seen.has(name);
      seen.add(name);
      return when(isKnown, () => duplicate(`${path}.name`, name));
    }),
  );
}

function portErrors(ports: Container['ports'], field: string, { hostNetwork }: PodContext): Errors {
  return [
    ...each(ports, field, ({ name, containerPort, hostPort, protocol = 'TCP' }, path) => [
      ...(name ? messagesOf(portName(name), `${path}.name`, name) : []),
      ...(containerPort === undefined || containerPort === 0
        ? [required(`${path}.containerPort`)]
        : messagesOf(portNumber(containerPort), `${path}.containerPort`, containerPort)),
      ...(hostPort ? messagesOf(portNumber(hostPort), `${path}.hostPort`, hostPort) : []),
      ...when(hostNetwork && hostPort && hostPort !== containerPort, () =>
        invalidValue(`${path}.hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true'),
      ),
      ...when(!protocols.includes(protocol), () => notSupported(`${path}.protocol`, protocol, protocols)),
    ]),
    ...unique(ports, field, ({ name }) => name, { suffix: '.name' }),
  ];
}

/** Two containers cannot have one port of the host. */
export function hostPortConflicts(containers: readonly AnyContainer[] | undefined, field: string): Errors {
  const seen = new Set<string>();
  return each(containers, field, ({ ports }, path) =>
    each(ports, `${path}.ports`, ({ hostPort, hostIP = '', protocol = 'TCP' }, portPath) => {
      if (!hostPort) return [];
      const key = `${protocol}/${hostIP}/${hostPort}`;
      const isKnown = seen.has(key);
      seen.add(key);
      return when(isKnown, () => duplicate(`${portPath}.hostPort`, key));
    }),
  );
}

type Environment = NonNullable<Container['env']>[number];

function environmentErrors({ name, value, valueFrom }: Environment, path: string): Errors {
  const nameErrors = name ? messagesOf(environmentName(name), `${path}.name`, name) : [required(`${path}.name`)];
  if (!valueFrom) return nameErrors;
  const sources = Object.values(valueFrom).filter(Boolean).length;
  const field = `${path}.valueFrom`;
  if (sources === 0)
    return [
      ...nameErrors,
      invalidValue(
        field,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      ),
    ];
  return [
    ...nameErrors,
    ...when(value, () => invalidValue(field, '', 'may not be specified when `value` is not empty')),
    ...when(sources > 1, () => invalidValue(field, '', 'may not have more than one field specified at a time')),
    ...fieldReferenceErrors(valueFrom.fieldRef, `${field}.fieldRef`, environmentFields),
    ...resourceReferenceErrors(valueFrom.resourceFieldRef, `${field}.resourceFieldRef`),
    ...keyReferenceErrors(valueFrom.configMapKeyRef, `${field}.configMapKeyRef`),
    ...keyReferenceErrors(valueFrom.secretKeyRef, `${field}.secretKeyRef`),
  ];
}

type EnvironmentSource = NonNullable<Container['envFrom']>[number];

function environmentSourceErrors({ prefix, configMapRef, secretRef }: EnvironmentSource, path: string): Errors {
  const sources = [configMapRef, secretRef].filter((source) => source !== undefined).length;
  const referenceErrors = (reference: { readonly name?: string } | undefined, field: string) =>
    reference
      ? reference.name
        ? messagesOf(dnsSubdomain(reference.name), `${field}.name`, reference.name)
        : [required(`${field}.name`)]
      : [];
  return [
    ...(prefix ? messagesOf(environmentName(prefix), `${path}.prefix`, prefix) : []),
    ...when(sources === 0, () => invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`')),
    ...when(sources > 1, () => invalidValue(path, '', 'may not have more than one field specified at a time')),
    ...referenceErrors(configMapRef, `${path}.configMapRef`),
    ...referenceErrors(secretRef, `${path}.secretRef`),
  ];
}

function mountErrors({ volumeMounts, securityContext }: AnyContainer, path: string, context: PodContext): Errors {
  const seen = new Set<string>();
  return each(volumeMounts, `${path}.volumeMounts`, (mount, field) => {
    const { name, mountPath, subPath, subPathExpr, mountPropagation } = mount;
    const isKnown = !!mountPath && seen.has(mountPath);
    seen.add(mountPath);
    return [
      ...when(!name, () => required(`${field}.name`)),
      ...when(name && !context.volumeNames.has(name), () => notFoundValue(`${field}.name`, name)),
      ...when(!mountPath, () => required(`${field}.mountPath`)),
      ...when(isKnown, () => invalidValue(`${field}.mountPath`, mountPath, 'must be unique')),
      ...when(subPath && subPathExpr, () =>
        invalidValue(`${field}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
      ),
      ...descendingPathErrors(subPath, `${field}.subPath`),
      ...descendingPathErrors(subPathExpr, `${field}.subPathExpr`),
      ...oneOf(mountPropagation, `${field}.mountPropagation`, ['Bidirectional', 'HostToContainer', 'None']),
      ...when(mountPropagation === 'Bidirectional' && !securityContext?.privileged, () =>
        forbiddenField(
          `${field}.mountPropagation`,
          'Bidirectional mount propagation is available only to privileged containers',
        ),
      ),
    ];
  });
}

function deviceErrors({ volumeDevices }: AnyContainer, path: string, context: PodContext): Errors {
  return [
    ...when(context.areDevicesForbidden && volumeDevices?.length, () =>
      forbiddenField(`${path}.volumeDevices`, 'when `hostUsers` is false'),
    ),
    ...each(volumeDevices, `${path}.volumeDevices`, ({ name, devicePath }, field) => [
      ...when(!name, () => required(`${field}.name`)),
      ...when(!devicePath, () => required(`${field}.devicePath`)),
      ...when(devicePath?.split('/').includes('..'), () =>
        invalidValue(`${field}.devicePath`, devicePath, "can not contain backsteps ('..')"),
      ),
      ...when(name && !context.deviceVolumeNames.has(name), () => notFoundValue(`${field}.name`, name)),
    ]),
    ...unique(volumeDevices, `${path}.volumeDevices`, ({ devicePath }) => devicePath, { suffix: '.devicePath' }),
  ];
}

/** Probes and hooks are for what goes on running: containers, and init containers that restart for ever. */
function lifecycleErrors(container: AnyContainer, path: string, role: ContainerRole): Errors {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle, restartPolicy } = container;
  const isSidecar = role === 'initContainers' && restartPolicy === 'Always';
  const named = { lifecycle, livenessProbe, readinessProbe, startupProbe };
  if (role === 'ephemeralContainers') {
    const disallowed = { ...named, ports: container.ports, resources: container.resources };
    return Object.entries(disallowed).flatMap(([name, value]) =>
      when(value !== undefined && Object.keys(value).length > 0, () =>
        forbiddenField(`${path}.${name}`, 'cannot be set for an Ephemeral Container'),
      ),
    );
  }
  if (role === 'initContainers' && !isSidecar)
    return [
      ...Object.entries(named).flatMap(([name, value]) =>
        when(value, () =>
          forbiddenField(`${path}.${name}`, 'may not be set for init containers without restartPolicy=Always'),
        ),
      ),
      ...restartErrors(restartPolicy, path),
    ];
  return [
    ...handlerErrors(lifecycle?.postStart, `${path}.lifecycle.postStart`),
    ...handlerErrors(lifecycle?.preStop, `${path}.lifecycle.preStop`),
    ...probeErrors(livenessProbe, `${path}.livenessProbe`, { succeedsOnce: true }),
    ...probeErrors(readinessProbe, `${path}.readinessProbe`, { succeedsOnce: false }),
    ...probeErrors(startupProbe, `${path}.startupProbe`, { succeedsOnce: true }),
    ...when(role === 'containers' && restartPolicy, () =>
      forbiddenField(`${path}.restartPolicy`, 'may not be set for non-init containers'),
    ),
  ];
}

function restartErrors(policy: string | undefined, path: string): Errors {
  return policy === undefined ? [] : oneOf(policy, `${path}.restartPolicy`, ['Always']);
}
