/** Security contexts of pods and containers: `pkg/apis/core/validation`, "ValidatePodSecurityContext", "ValidateSecurityContext". */
import type { Container, PodSpec } from '../types.ts';
import {
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  notSupported,
  oneOf,
  required,
  unique,
  when,
  type Errors,
} from './field.ts';
import { userId } from './names.ts';
import { descendingPathErrors } from './paths.ts';

type PodContext = NonNullable<PodSpec['securityContext']>;
type ContainerContext = NonNullable<Container['securityContext']>;

export function podSecurityErrors(context: PodContext | undefined, field: string): Errors {
  if (!context) return [];
  return [
    ...identityErrors(context, field),
    ...messagesOf(userId(context.fsGroup), `${field}.fsGroup`, context.fsGroup),
    ...each(context.supplementalGroups, `${field}.supplementalGroups`, (group, path) =>
      messagesOf(userId(group), path, group),
    ),
    ...oneOf(context.fsGroupChangePolicy, `${field}.fsGroupChangePolicy`, ['Always', 'OnRootMismatch']),
    ...oneOf(context.supplementalGroupsPolicy, `${field}.supplementalGroupsPolicy`, ['Merge', 'Strict']),
    ...profileErrors(context, field),
    ...sysctlErrors(context.sysctls, `${field}.sysctls`),
  ];
}

export function containerSecurityErrors(
  context: ContainerContext | undefined,
  field: string,
  hostUsers: boolean,
): Errors {
  if (!context) return [];
  const { allowPrivilegeEscalation, privileged, capabilities, procMount } = context;
  const addsAdmin = capabilities?.add?.some((name) => name === 'SYS_ADMIN' || name === 'CAP_SYS_ADMIN');
  return [
    ...identityErrors(context, field),
    ...profileErrors(context, field),
    ...oneOf(procMount, `${field}.procMount`, ['Default', 'Unmasked']),
    ...when(procMount === 'Unmasked' && hostUsers, () =>
      invalidValue(`${field}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`'),
    ),
    ...when(allowPrivilegeEscalation === false && privileged, () =>
      invalidValue(field, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
    ),
    ...when(allowPrivilegeEscalation === false && addsAdmin, () =>
      invalidValue(
        field,
        context,
        'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
      ),
    ),
  ];
}

function identityErrors({ runAsUser, runAsGroup }: PodContext | ContainerContext, field: string): Errors {
  return [
    ...messagesOf(userId(runAsUser), `${field}.runAsUser`, runAsUser),
    ...messagesOf(userId(runAsGroup), `${field}.runAsGroup`, runAsGroup),
  ];
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function profileErrors({ seccompProfile, appArmorProfile }: PodContext | ContainerContext, field: string): Errors {
  return [
    ...oneProfileErrors(seccompProfile, `${field}.seccompProfile`, 'seccomp'),
    ...(seccompProfile?.localhostProfile
      ? descendingPathErrors(seccompProfile.localhostProfile, `${field}.seccompProfile.localhostProfile`)
      : []),
    ...oneProfileErrors(appArmorProfile, `${field}.appArmorProfile`, 'AppArmor'),
  ];
}

type Profile = { readonly type: string; readonly localhostProfile?: string } | undefined;

function oneProfileErrors(profile: Profile, field: string, what: string): Errors {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  if (!type) return [required(`${field}.type`, `type is required when ${field.split('.').at(-1)} is set`)];
  if (!profileTypes.includes(type)) return [notSupported(`${field}.type`, type, profileTypes)];
  if (type === 'Localhost')
    return when(!localhostProfile, () =>
      required(
        `${field}.localhostProfile`,
        `must be set when ${what === 'seccomp' ? 'seccomp type' : 'AppArmor type'} is Localhost`,
      ),
    );
  return when(localhostProfile !== undefined, () =>
    invalidValue(
      `${field}.localhostProfile`,
      localhostProfile,
      `can only be set when ${what === 'seccomp' ? 'seccomp type' : 'AppArmor type'} is Localhost`,
    ),
  );
}

function sysctlErrors(sysctls: PodContext['sysctls'], field: string): Errors {
  return [
    ...each(sysctls, field, ({ name }, path) => {
      if (!name) return [required(`${path}.name`)];
      const isValid =
        name.length <= 253 && /^(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/.test(name);
      return when(!isValid, () =>
        invalidValue(
          `${path}.name`,
          name,
          'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
        ),
      );
    }),
    ...unique(sysctls, field, ({ name }) => name, { suffix: '.name' }),
  ];
}

/** Contexts of the host that a pod takes part in. */
export function hostNamespaceErrors(
  { hostPID, shareProcessNamespace, hostNetwork, hostUsers, hostIPC }: PodSpec,
  field: string,
): Errors {
  return [
    ...when(hostPID && shareProcessNamespace, () =>
      invalidValue(`${field}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'),
    ),
    ...(hostUsers === false
      ? Object.entries({ hostNetwork, hostPID, hostIPC }).flatMap(([name, value]) =>
          when(value, () => forbiddenField(`${field}.${name}`, 'when `hostUsers` is false')),
        )
      : []),
  ];
}
