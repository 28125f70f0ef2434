/** Volumes of a pod: `pkg/apis/core/validation`, "validateVolumeSource". */
import type { PodSpec, Volume } from '../types.ts';

import {
  duplicate,
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  oneOf,
  required,
  when,
  type Errors,
} from './field.ts';
import { claimSpecErrors } from './claim.ts';
import { dnsLabel, dnsSubdomain } from './names.ts';
import { amountErrors } from './quantities.ts';
import { fieldReferenceErrors, resourceReferenceErrors, volumeFields } from './references.ts';

type Items = readonly { readonly key: string; readonly path: string; readonly mode?: number }[] | undefined;
type Projected = NonNullable<Volume['projected']>;

export function volumesErrors(spec: PodSpec, field: string): Errors {
  const seen = new Set<string>();
  return each(spec.volumes, field, (volume, path) => {
    const { name } = volume;
    const isKnown = seen.has(name);
    seen.add(name);
    return [
      ...(name ? messagesOf(dnsLabel(name), `${path}.name`, name) : [required(`${path}.name`)]),
      ...when(name && isKnown, () => duplicate(`${path}.name`, name)),
      ...sourceErrors(volume, path),
    ];
  });
}

function sourceErrors({ name: _name, ...sources }: Volume, path: string): Errors {
  const given = Object.entries(sources).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return [required(path, 'must specify a volume type')];
  const [[kind]] = given as [[string, unknown]];
  return [
    ...given.slice(1).map(([other]) => forbiddenField(`${path}.${other}`, 'may not specify more than 1 volume type')),
    ...oneSourceErrors(sources, `${path}.${kind}`, kind),
  ];
}

function oneSourceErrors(sources: Omit<Volume, 'name'>, path: string, kind: string): Errors {
  switch (kind) {
    case 'emptyDir':
      return [
        ...(sources.emptyDir?.sizeLimit ? amountErrors(sources.emptyDir.sizeLimit, `${path}.sizeLimit`) : []),
        ...when(!/^(?:|Memory|HugePages(?:-.+)?)$/.test(sources.emptyDir?.medium ?? ''), () =>
          invalidValue(`${path}.medium`, sources.emptyDir?.medium, 'unknown medium'),
        ),
      ];
    case 'hostPath':
      return hostPathErrors(sources.hostPath!, path);
    case 'secret':
      return [
        ...when(!sources.secret!.secretName, () => required(`${path}.secretName`)),
        ...modeErrors(sources.secret!.defaultMode, `${path}.defaultMode`),
        ...itemErrors(sources.secret!.items, `${path}.items`),
      ];
    case 'configMap':
      return [
        ...when(!sources.configMap!.name, () => required(`${path}.name`)),
        ...modeErrors(sources.configMap!.defaultMode, `${path}.defaultMode`),
        ...itemErrors(sources.configMap!.items, `${path}.items`),
      ];
    case 'persistentVolumeClaim':
      return when(!sources.persistentVolumeClaim!.claimName, () => required(`${path}.claimName`));
    case 'ephemeral':
      return sources.ephemeral!.volumeClaimTemplate
        ? claimSpecErrors(sources.ephemeral!.volumeClaimTemplate.spec, `${path}.volumeClaimTemplate.spec`)
        : [required(`${path}.volumeClaimTemplate`)];
    case 'downwardAPI':
      return [
        ...modeErrors(sources.downwardAPI!.defaultMode, `${path}.defaultMode`),
        ...each(sources.downwardAPI!.items, `${path}.items`, downwardErrors),
      ];
    case 'projected':
      return projectedErrors(sources.projected!, path);
    case 'nfs':
      return [
        ...when(!sources.nfs!.server, () => required(`${path}.server`)),
        ...when(!sources.nfs!.path, () => required(`${path}.path`)),
        ...when(sources.nfs!.path && !sources.nfs!.path.startsWith('/'), () =>
          invalidValue(`${path}.path`, sources.nfs!.path, 'must be an absolute path'),
        ),
      ];
    case 'csi':
      return when(!sources.csi!.driver, () => required(`${path}.driver`));
    case 'image':
      return [
        ...when(!sources.image!.reference, () => required(`${path}.reference`)),
        ...oneOf(sources.image!.pullPolicy, `${path}.pullPolicy`, ['Always', 'IfNotPresent', 'Never']),
      ];
    default:
      return [];
  }
}

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

function hostPathErrors({ path: hostPath, type }: NonNullable<Volume['hostPath']>, path: string): Errors {
  if (!hostPath) return [required(`${path}.path`)];
  return [
    ...when(hostPath.split('/').includes('..'), () => invalidValue(`${path}.path`, hostPath, "must not contain '..'")),
    ...oneOf(type, `${path}.type`, hostPathTypes),
  ];
}

export function modeErrors(mode: number | undefined, field: string): Errors {
  return when(mode !== undefined && (mode < 0 || mode > 0o777), () =>
    invalidValue(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive'),
  );
}

function itemErrors(items: Items, field: string): Errors {
  return each(items, field, ({ key, path: target, mode }, path) => [
    ...when(!key, () => required(`${path}.key`)),
    ...(target ? localPathErrors(target, `${path}.path`) : [required(`${path}.path`)]),
    ...modeErrors(mode, `${path}.mode`),
  ]);
}

/** Where a projected file lies: beneath the volume, and not among the names that updates need. */
function localPathErrors(target: string, field: string): Errors {
  return [
    ...when(target.startsWith('/'), () => invalidValue(field, target, 'must be a relative path')),
    ...when(target.split('/').includes('..'), () => invalidValue(field, target, "must not contain '..'")),
    ...when(target.startsWith('..') && !target.startsWith('../') && target !== '..', () =>
      invalidValue(field, target, "must not start with '..'"),
    ),
  ];
}

type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

function downwardErrors({ path: target, fieldRef, resourceFieldRef, mode }: DownwardItem, path: string): Errors {
  return [
    ...(target ? localPathErrors(target, `${path}.path`) : [required(`${path}.path`)]),
    ...when(!fieldRef && !resourceFieldRef, () => required(path, 'one of fieldRef and resourceFieldRef is required')),
    ...when(fieldRef && resourceFieldRef, () =>
      invalidValue(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
    ),
    ...fieldReferenceErrors(fieldRef, `${path}.fieldRef`, volumeFields),
    ...resourceReferenceErrors(resourceFieldRef, `${path}.resourceFieldRef`, { needsContainer: true }),
    ...modeErrors(mode, `${path}.mode`),
  ];
}

function projectedErrors({ sources, defaultMode }: Projected, path: string): Errors {
  const taken = new Set<string>();
  return [
    ...modeErrors(defaultMode, `${path}.defaultMode`),
    ...each(sources, `${path}.sources`, (source, field) => {
      const kinds = Object.entries(source).filter(([, value]) => value !== undefined);
      const targets = [
        ...(source.secret?.items ?? []),
        ...(source.configMap?.items ?? []),
        ...(source.downwardAPI?.items ?? []),
        ...(source.serviceAccountToken ? [source.serviceAccountToken] : []),
      ].map((item) => item.path);
      return [
        ...when(kinds.length === 0, () => required(field, 'must specify a source')),
        ...kinds
          .slice(1)
          .map(([kind]) => forbiddenField(`${field}.${kind}`, 'may not specify more than 1 volume type')),
        ...(source.secret ? namedSourceErrors(source.secret, `${field}.secret`) : []),
        ...(source.configMap ? namedSourceErrors(source.configMap, `${field}.configMap`) : []),
        ...each(source.downwardAPI?.items, `${field}.downwardAPI.items`, downwardErrors),
        ...tokenErrors(source.serviceAccountToken, `${field}.serviceAccountToken`),
        ...targets.flatMap((target) => {
          const isTaken = taken.has(target);
          taken.add(target);
          return when(isTaken, () => invalidValue(field, target, 'conflicting duplicate paths'));
        }),
      ];
    }),
  ];
}

function namedSourceErrors({ name, items }: { readonly name?: string; readonly items?: Items }, path: string): Errors {
  return [
    ...(name ? messagesOf(dnsSubdomain(name), `${path}.name`, name) : [required(`${path}.name`)]),
    ...itemErrors(items, `${path}.items`),
  ];
}

function tokenErrors(token: NonNullable<Projected['sources']>[number]['serviceAccountToken'], path: string): Errors {
  if (!token) return [];
  const seconds = token.expirationSeconds;
  return [
    ...when(seconds !== undefined && seconds < 600, () =>
      invalidValue(`${path}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'),
    ),
    ...when(seconds !== undefined && seconds > 2 ** 32, () =>
      invalidValue(`${path}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'),
    ),
    ...when(!token.path, () => required(`${path}.path`)),
  ];
}
