/** The rows by which a cluster is extended: admission webhooks and policies, custom resources, API services. */
import type { KubernetesObject } from '../../object.ts';
import type * as types from '../../types.ts';
import type { Draft } from '../draft.ts';
import { pathErrors } from '../custom/paths.ts';
import { schemaErrors } from '../custom/schema.ts';
import type { Resource } from '../resource.ts';
import { age, nameColumn } from './columns.ts';
import { column, row } from './row.ts';

const admission = 'admissionregistration.k8s.io';

interface Webhook {
  failurePolicy?: string;
  matchPolicy?: string;
  timeoutSeconds?: number;
  namespaceSelector?: object;
  objectSelector?: object;
  reinvocationPolicy?: string;
  clientConfig?: { service?: { port?: number } };
  rules?: { scope?: string }[];
}

/** `pkg/apis/admissionregistration/v1/defaults.go`. */
function defaultWebhooks(webhooks: readonly Webhook[] | undefined): void {
  for (const webhook of webhooks ?? []) {
    webhook.failurePolicy ??= 'Fail';
    webhook.matchPolicy ??= 'Equivalent';
    webhook.namespaceSelector ??= {};
    webhook.objectSelector ??= {};
    webhook.timeoutSeconds ??= 10;
    if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443;
    for (const rule of webhook.rules ?? []) rule.scope ??= '*';
  }
}

const webhookColumns = [
  nameColumn,
  column<KubernetesObject & { readonly webhooks?: readonly unknown[] }>(
    'Webhooks',
    ({ webhooks }) => webhooks?.length ?? 0,
    { type: 'integer' },
  ),
  age,
];

function defaultMatch(
  match: { matchPolicy?: string; namespaceSelector?: object; objectSelector?: object } | undefined,
): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
}

export const extensionRows: readonly Resource[] = [
  row<types.MutatingWebhookConfiguration>(admission, 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', {
    isClusterWide: true,
    categories: ['api-extensions'],
    strategy: {
      hasGeneration: true,
      default({ webhooks }) {
        defaultWebhooks(webhooks);
        for (const webhook of webhooks ?? []) webhook.reinvocationPolicy ??= 'Never';
      },
    },
    columns: webhookColumns,
  }),
  row<types.ValidatingWebhookConfiguration>(
    admission,
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
    {
      isClusterWide: true,
      categories: ['api-extensions'],
      strategy: { hasGeneration: true, default: ({ webhooks }) => defaultWebhooks(webhooks) },
      columns: webhookColumns,
    },
  ),
  row<types.ValidatingAdmissionPolicy>(admission, 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies', {
    isClusterWide: true,
    categories: ['api-extensions'],
    strategy: {
      hasGeneration: true,
      hasStatus: true,
      default({ spec }) {
        if (!spec) return;
        spec.failurePolicy ??= 'Fail';
        defaultMatch(spec.matchConstraints);
      },
    },
    columns: [
      nameColumn,
      column('Validations', ({ spec }) => spec?.validations?.length ?? 0, { type: 'integer' }),
      column('ParamKind', ({ spec }) =>
        spec?.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : '<unset>',
      ),
      age,
    ],
  }),
  row<types.ValidatingAdmissionPolicyBinding>(
    admission,
    'ValidatingAdmissionPolicyBinding',
    'validatingadmissionpolicybindings',
    {
      isClusterWide: true,
      categories: ['api-extensions'],
      strategy: { hasGeneration: true, default: ({ spec }) => defaultMatch(spec?.matchResources) },
      columns: [
        nameColumn,
        column('PolicyName', ({ spec }) => spec?.policyName ?? ''),
        column('ParamRef', ({ spec }) => {
          const { namespace, name } = spec?.paramRef ?? {};
          return name ? (namespace ? `${namespace}/${name}` : name) : '<unset>';
        }),
        age,
      ],
    },
  ),
  row<types.CustomResourceDefinition>('apiextensions.k8s.io', 'CustomResourceDefinition', 'customresourcedefinitions', {
    isClusterWide: true,
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    strategy: {
      hasGeneration: true,
      hasStatus: true,
      default: defaultDefinition,
      validate: (definition, old) => [...pathErrors(definition), ...schemaErrors(definition, old)],
      prepareForCreate(definition) {
        // Validation refuses a definition without versions.
        const versions = definition.spec?.versions ?? [];
        definition.status = { storedVersions: versions.filter(({ storage }) => storage).map(({ name }) => name) };
        const meta = (definition.metadata ??= {});
        meta.finalizers = [...new Set([...(meta.finalizers ?? []), cleanupFinalizer])];
      },
    },
    columns: [nameColumn, column('Created At', ({ metadata }) => metadata?.creationTimestamp ?? '', { type: 'date' })],
  }),
  row<types.APIService>('apiregistration.k8s.io', 'APIService', 'apiservices', {
    isClusterWide: true,
    categories: ['api-extensions'],
    strategy: {
      hasStatus: true,
      default: ({ spec }) => spec?.service && void (spec.service.port ??= 443),
      validate: ({ metadata, spec }) => {
        const name = `${spec?.version}.${spec?.group ?? ''}`;
        if (metadata?.name === name) return [];
        const message = `Invalid value: ${JSON.stringify(metadata?.name)}: must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`;
        return [{ type: 'Invalid value', field: 'metadata.name', message }];
      },
    },
    columns: [
      nameColumn,
      column('Service', ({ spec }) => (spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local')),
      column('Available', ({ status }) => {
        const available = status?.conditions?.find(({ type }) => type === 'Available');
        if (!available) return 'Unknown';
        return available.status === 'True' ? 'True' : `${available.status} (${available.reason})`;
      }),
      age,
    ],
  }),
];

/** Keeps a definition until its objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

/** `apiextensions/v1/defaults.go`. */
function defaultDefinition({ spec }: Draft<types.CustomResourceDefinition>): void {
  if (!spec) return;
  const { names } = spec;
  if (names) {
    names.singular ||= names.kind?.toLowerCase();
    names.listKind ||= names.kind && `${names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  if (spec.conversion.webhook?.clientConfig?.service) spec.conversion.webhook.clientConfig.service.port ??= 443;
}
