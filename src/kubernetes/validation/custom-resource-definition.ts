/** Definitions of custom resources, but for their schemas (`schema/structural/`): `apiextensions/validation`. */
import type { CustomResourceDefinition } from '../types.ts';
import {
  duplicate,
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  oneOf,
  present,
  required,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dns1035Label, dnsSubdomain } from './names.ts';

const clusterWide = { isNamespaced: false, name: dnsSubdomain };

type Definition = NonNullable<CustomResourceDefinition['spec']>;
type Version = Definition['versions'][number];

export const validateCustomResourceDefinition = validatorOf<CustomResourceDefinition>((definition, old) => {
  const { spec, metadata } = definition;
  if (!spec) return [...metadataErrors(definition, old, clusterWide), required('spec.group')];
  const { names, group } = spec;
  const versions = present(spec.versions) ?? [];
  const expected = `${names?.plural}.${group}`;
  return [
    ...metadataErrors(definition, old, clusterWide),
    ...when(metadata?.name !== expected, () =>
      invalidValue('metadata.name', metadata?.name, `must be spec.names.plural+"."+spec.group`),
    ),
    ...(group ? messagesOf(dnsSubdomain(group), 'spec.group', group) : [required('spec.group')]),
    ...when(group && !group.includes('.'), () =>
      invalidValue('spec.group', group, 'should be a domain with at least one dot'),
    ),
    ...protectedGroupErrors(definition),
    ...oneOf(spec.scope, 'spec.scope', ['Cluster', 'Namespaced'], { isRequired: true }),
    ...nameErrors(names, 'spec.names'),
    ...when(versions.length === 0, () =>
      invalidValue('spec.versions', versions, 'must have exactly one version marked as storage version'),
    ),
    ...each(versions, 'spec.versions', versionErrors),
    ...duplicateVersions(versions),
    ...when(versions.length > 0 && versions.filter(({ storage }) => storage).length !== 1, () =>
      invalidValue(
        'spec.versions',
        versions.map(({ name }) => name),
        'must have exactly one version marked as storage version',
      ),
    ),
    ...conversionErrors(spec),
    ...(old?.spec ? definitionUpdateErrors(definition, old) : []),
  ];
});

/** Groups of the Kubernetes community are for APIs it approved. */
function protectedGroupErrors({ spec, metadata }: CustomResourceDefinition): Errors {
  const isProtected = /(?:^|\.)(?:k8s\.io|kubernetes\.io)$/.test(spec?.group ?? '');
  const approval = metadata?.annotations?.['api-approved.kubernetes.io'];
  if (!isProtected) return [];
  const field = 'metadata.annotations[api-approved.kubernetes.io]';
  if (!approval)
    return [
      required(
        field,
        'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ),
    ];
  const isValid = approval.startsWith('unapproved') || URL.canParse(approval);
  return when(!isValid, () =>
    invalidValue(
      field,
      approval,
      'protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111',
    ),
  );
}

function nameErrors(names: Definition['names'] | undefined, field: string): Errors {
  const { plural = '', singular = '', kind = '', listKind, shortNames, categories } = names ?? {};
  const label = (value: string, name: string) =>
    value ? messagesOf(dns1035Label(value), `${field}.${name}`, value) : [required(`${field}.${name}`)];
  const kindLabel = (value: string, name: string) =>
    value ? messagesOf(dns1035Label(value.toLowerCase()), `${field}.${name}`, value) : [required(`${field}.${name}`)];
  return [
    ...label(plural, 'plural'),
    ...(singular ? label(singular, 'singular') : []),
    ...kindLabel(kind, 'kind'),
    ...(listKind ? kindLabel(listKind, 'listKind') : []),
    ...when(kind && kind === listKind, () =>
      invalidValue(`${field}.listKind`, listKind, 'kind and listKind may not be the same'),
    ),
    ...each(shortNames, `${field}.shortNames`, (name, path) => messagesOf(dns1035Label(name), path, name)),
    ...each(categories, `${field}.categories`, (name, path) => messagesOf(dns1035Label(name), path, name)),
  ];
}

function versionErrors(version: Version, path: string): Errors {
  const { name, schema, subresources, additionalPrinterColumns, deprecationWarning, deprecated } = version;
  return [
    ...(name ? messagesOf(dns1035Label(name), `${path}.name`, name) : [required(`${path}.name`)]),
    ...when(!schema?.openAPIV3Schema, () => required(`${path}.schema.openAPIV3Schema`, 'schemas are required')),
    ...when(deprecationWarning && !deprecated, () =>
      invalidValue(`${path}.deprecationWarning`, deprecationWarning, 'can only be set for deprecated versions'),
    ),
    ...(subresources?.scale ? scaleErrors(subresources.scale, `${path}.subresources.scale`) : []),
    ...each(additionalPrinterColumns, `${path}.additionalPrinterColumns`, (column, field) => [
      ...when(!column.name, () => required(`${field}.name`)),
      ...oneOf(column.type, `${field}.type`, ['boolean', 'date', 'integer', 'number', 'string'], { isRequired: true }),
      ...when(!column.jsonPath, () => required(`${field}.JSONPath`)),
      ...oneOf(column.format, `${field}.format`, [
        'byte',
        'date',
        'date-time',
        'double',
        'float',
        'int32',
        'int64',
        'password',
      ]),
    ]),
  ];
}

type Scale = NonNullable<NonNullable<Version['subresources']>['scale']>;

function scaleErrors({ specReplicasPath, statusReplicasPath, labelSelectorPath }: Scale, path: string): Errors {
  const under = (value: string | undefined, prefix: string, name: string) =>
    value
      ? when(!value.startsWith(prefix), () =>
          invalidValue(`${path}.${name}`, value, `should be a json path under ${prefix}`),
        )
      : [required(`${path}.${name}`)];
  return [
    ...under(specReplicasPath, '.spec.', 'specReplicasPath'),
    ...under(statusReplicasPath, '.status.', 'statusReplicasPath'),
    ...when(labelSelectorPath && !/^\.(?:spec|status)\./.test(labelSelectorPath), () =>
      invalidValue(
        `${path}.labelSelectorPath`,
        labelSelectorPath,
        'should be a json path under either .spec. or .status.',
      ),
    ),
  ];
}

function duplicateVersions(versions: readonly Version[]): Errors {
  const seen = new Set<string>();
  return each(versions, 'spec.versions', ({ name }, path) => {
    const isKnown = seen.has(name);
    seen.add(name);
    return when(isKnown, () => duplicate(`${path}.name`, name));
  });
}

function conversionErrors({ conversion }: Definition): Errors {
  if (!conversion) return [];
  const { strategy, webhook } = conversion;
  return [
    ...oneOf(strategy, 'spec.conversion.strategy', ['None', 'Webhook'], { isRequired: true }),
    ...when(strategy === 'Webhook' && !webhook?.clientConfig, () =>
      required('spec.conversion.webhookClientConfig', 'required when strategy is set to Webhook'),
    ),
    ...when(strategy === 'None' && webhook, () =>
      forbiddenField('spec.conversion.webhook', 'should not be set when strategy is not set to Webhook'),
    ),
    ...when(strategy === 'Webhook' && webhook && !webhook.conversionReviewVersions?.length, () =>
      required('spec.conversion.conversionReviewVersions'),
    ),
  ];
}

function definitionUpdateErrors(
  { spec }: CustomResourceDefinition,
  { spec: old, status }: CustomResourceDefinition,
): Errors {
  const stored = new Set(status?.storedVersions);
  const served = new Set(spec?.versions?.map(({ name }) => name));
  const isEstablished = status?.conditions?.some(
    ({ type, status: value }) => type === 'Established' && value === 'True',
  );
  return [
    ...immutable(spec?.group, old?.group, 'spec.group'),
    ...immutable(spec?.names?.plural, old?.names?.plural, 'spec.names.plural'),
    ...(isEstablished ? immutable(spec?.scope, old?.scope, 'spec.scope') : []),
    ...(isEstablished ? immutable(spec?.names?.kind, old?.names?.kind, 'spec.names.kind') : []),
    ...each([...stored], 'status.storedVersions', (name, path) =>
      when(!served.has(name), () => invalidValue(path, name, 'must appear in spec.versions')),
    ),
  ];
}
