/** Events: `pkg/apis/core/validation/events.go`. */
import type { Event } from '../types.ts';
import { invalidValue, notSupported, validatorOf, when } from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };

export const validateEvent = validatorOf<Event>((event, old) => {
  const namespace = event.involvedObject?.namespace;
  const own = event.metadata?.namespace;
  const isElsewhere = namespace ? namespace !== own : own !== 'default' && own !== 'kube-system' && !!own;
  return [
    ...metadataErrors(event, old, namespaced),
    ...when(isElsewhere && namespace, () =>
      invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace'),
    ),
    ...when(event.type && !['Normal', 'Warning'].includes(event.type) && !!event.reportingInstance, () =>
      notSupported('type', event.type, ['Normal', 'Warning']),
    ),
  ];
});
