/** Configurations of admission webhooks: `pkg/apis/admissionregistration/validation`. */
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../types.ts';
import { duplicate, each, invalidValue, messagesOf, oneOf, required, validatorOf, when, type Errors } from './field.ts';
import { conditionErrors } from './admission-policies.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';

const clusterWide = { isNamespaced: false, name: dnsSubdomain };

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
