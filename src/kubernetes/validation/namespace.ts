/** Namespaces and service accounts: `pkg/apis/core/validation`, and the labels that Pod Security reads. */
import type { Namespace, ServiceAccount } from '../types.ts';
import { each, invalidValue, messagesOf, validatorOf, when, type Errors } from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsLabel, dnsSubdomain, qualifiedName } from './names.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };

export const validateNamespace = validatorOf<Namespace>((namespace, old) => [
  ...metadataErrors(namespace, old, { isNamespaced: false, name: dnsLabel }),
  ...each(namespace.spec?.finalizers, 'spec.finalizers', (finalizer) =>
    messagesOf(qualifiedName(finalizer), 'spec.finalizers', finalizer),
  ),
  ...podSecurityLabelErrors(namespace.metadata?.labels),
]);

const podSecurityLevels = ['baseline', 'privileged', 'restricted'];

/** Checked where they are set, so that a mistyped level does not leave a namespace open. */
function podSecurityLabelErrors(labels: { readonly [name: string]: string } | undefined): Errors {
  return ['enforce', 'audit', 'warn'].flatMap((mode) => {
    const [levelKey, versionKey] = [`pod-security.kubernetes.io/${mode}`, `pod-security.kubernetes.io/${mode}-version`];
    const [level, version] = [labels?.[levelKey], labels?.[versionKey]];
    return [
      ...when(level !== undefined && !podSecurityLevels.includes(level), () =>
        invalidValue(`metadata.labels[${levelKey}]`, level, 'must be one of privileged, baseline, restricted'),
      ),
      ...when(version !== undefined && !/^(?:latest|v1\.\d+)$/.test(version), () =>
        invalidValue(`metadata.labels[${versionKey}]`, version, 'must be "latest" or "v1.x"'),
      ),
    ];
  });
}

export const validateServiceAccount = validatorOf<ServiceAccount>((account, old) =>
  metadataErrors(account, old, namespaced),
);
