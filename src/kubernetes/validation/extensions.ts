/** What extends the API: custom resource definitions, webhooks, certificate signing requests: `apiextensions/validation`, `pkg/apis/{admissionregistration,certificates}/validation`. */
import type {
  CertificateSigningRequest,
  CustomResourceDefinition,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '../types.ts';
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
  same,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { conditionErrors } from './admission-policies.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { dns1035Label, dnsLabel, dnsSubdomain } from './names.ts';

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

type Webhook = NonNullable<ValidatingWebhookConfiguration['webhooks']>[number];

export const validateValidatingWebhookConfiguration = validatorOf<ValidatingWebhookConfiguration>(
  (configuration, old) => [
    ...metadataErrors(configuration, old, clusterWide),
    ...webhooksErrors(configuration.webhooks),
  ],
);

export const validateMutatingWebhookConfiguration = validatorOf<MutatingWebhookConfiguration>((configuration, old) => [
  ...metadataErrors(configuration, old, clusterWide),
  ...webhooksErrors(configuration.webhooks),
  ...each(configuration.webhooks, 'webhooks', ({ reinvocationPolicy }, path) =>
    oneOf(reinvocationPolicy, `${path}.reinvocationPolicy`, ['IfNeeded', 'Never']),
  ),
]);

function webhooksErrors(webhooks: readonly Webhook[] | undefined): Errors {
  const seen = new Set<string>();
  return each(webhooks, 'webhooks', (webhook, path) => {
    const { name, sideEffects, timeoutSeconds, admissionReviewVersions, clientConfig, rules } = webhook;
    const isKnown = seen.has(name);
    seen.add(name);
    return [
      ...(name ? messagesOf(dnsSubdomain(name), `${path}.name`, name) : [required(`${path}.name`)]),
      ...when(name && name.split('.').length < 3, () =>
        invalidValue(`${path}.name`, name, 'should be a domain with at least three segments separated by dots'),
      ),
      ...when(isKnown, () => duplicate(`${path}.name`, name)),
      ...each(rules, `${path}.rules`, (rule, field) => [
        ...when(!rule.apiGroups?.length, () => required(`${field}.apiGroups`)),
        ...when(!rule.apiVersions?.length, () => required(`${field}.apiVersions`)),
        ...when(!rule.resources?.length, () => required(`${field}.resources`)),
        ...when(!rule.operations?.length, () => required(`${field}.operations`)),
        ...each(rule.operations, `${field}.operations`, (operation, operationPath) =>
          oneOf(operation, operationPath, ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']),
        ),
        ...oneOf(rule.scope, `${field}.scope`, ['*', 'Cluster', 'Namespaced']),
      ]),
      ...oneOf(webhook.failurePolicy, `${path}.failurePolicy`, ['Fail', 'Ignore']),
      ...oneOf(webhook.matchPolicy, `${path}.matchPolicy`, ['Equivalent', 'Exact']),
      ...(sideEffects
        ? oneOf(sideEffects, `${path}.sideEffects`, ['None', 'NoneOnDryRun'])
        : [required(`${path}.sideEffects`, 'must specify one of None, NoneOnDryRun')]),
      ...when(timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30), () =>
        invalidValue(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'),
      ),
      ...selectorErrors(webhook.namespaceSelector, `${path}.namespaceSelector`),
      ...selectorErrors(webhook.objectSelector, `${path}.objectSelector`),
      ...clientErrors(clientConfig, `${path}.clientConfig`),
      ...conditionErrors(webhook.matchConditions, `${path}.matchConditions`),
      ...(admissionReviewVersions?.length
        ? when(!admissionReviewVersions.includes('v1') && !admissionReviewVersions.includes('v1beta1'), () =>
            invalidValue(
              `${path}.admissionReviewVersions`,
              admissionReviewVersions,
              'must include at least one of v1, v1beta1',
            ),
          )
        : [required(`${path}.admissionReviewVersions`, 'must specify one of v1, v1beta1')]),
    ];
  });
}

function clientErrors(config: Webhook['clientConfig'] | undefined, field: string): Errors {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined))
    return [required(field, 'exactly one of url or service is required')];
  if (url !== undefined) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    return when(parsed?.protocol !== 'https:', () =>
      invalidValue(`${field}.url`, url, `'https' is the only allowed URL scheme; desired format: https://host[/path]`),
    );
  }
  const { name, namespace, path, port } = service!;
  return [
    ...when(!name, () => required(`${field}.service.name`, 'service name is required')),
    ...when(!namespace, () => required(`${field}.service.namespace`, 'service namespace is required')),
    ...when(port !== undefined && (port < 1 || port > 65_535), () =>
      invalidValue(`${field}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive'),
    ),
    ...when(path && !path.startsWith('/'), () => invalidValue(`${field}.service.path`, path, "must start with a '/'")),
  ];
}

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];

export const validateCertificateSigningRequest = validatorOf<CertificateSigningRequest>((request, old) => {
  const { spec, status } = request;
  const conditions = status?.conditions ?? [];
  const decided = (type: string) => conditions.some((condition) => condition.type === type);
  return [
    ...metadataErrors(request, old, { isNamespaced: false, name: dnsSubdomain }),
    ...when(!isRequest(spec?.request), () =>
      invalidValue('spec.request', spec?.request ?? '', 'PEM block type must be CERTIFICATE REQUEST'),
    ),
    ...when(!spec?.usages?.length, () => required('spec.usages')),
    ...each(spec?.usages, 'spec.usages', (usage, path) => oneOf(usage, path, usages)),
    ...when(spec?.expirationSeconds !== undefined && spec.expirationSeconds < 600, () =>
      invalidValue(
        'spec.expirationSeconds',
        spec?.expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    ),
    ...signerErrors(spec?.signerName, 'spec.signerName'),
    ...when(decided('Approved') && decided('Denied'), () =>
      invalidValue('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive'),
    ),
    ...(old && !same(spec, old.spec) ? [...immutable(spec, old.spec, 'spec')] : []),
    ...(['Approved', 'Denied'] as const).flatMap((type) =>
      when(old?.status?.conditions?.some((condition) => condition.type === type) && !decided(type), () =>
        forbiddenField('status.conditions', `updates may not remove a condition of type ${JSON.stringify(type)}`),
      ),
    ),
  ];
});

function isRequest(encoded: string | undefined): boolean {
  return /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/.test(Buffer.from(encoded ?? '', 'base64').toString());
}

/** `example.com/signer`: a domain and a path. */
function signerErrors(signer: string | undefined, field: string): Errors {
  if (!signer) return [required(field)];
  const [domain = '', ...path] = signer.split('/');
  if (path.length !== 1)
    return [
      invalidValue(field, signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  return [
    ...domain.split('.').flatMap((label) => messagesOf(dnsLabel(label), field, domain)),
    ...when(!domain.includes('.'), () =>
      invalidValue(field, domain, 'should be a domain with at least two segments separated by dots'),
    ),
    ...messagesOf(dnsSubdomain(path[0]!), field, path[0]),
  ];
}
