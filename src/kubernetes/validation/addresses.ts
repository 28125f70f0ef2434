/** Ranges and addresses of services: `pkg/apis/networking/validation`, "ValidateServiceCIDR", "ValidateIPAddress". */
import { isIP } from 'node:net';
import type { IPAddress, ServiceCIDR } from '../types.ts';
import {
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  required,
  same,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { cidr, dnsSubdomain, pathSegmentName } from './names.ts';

/** An address is the name of its own record, in the one spelling that it has. */
function addressName(name: string): readonly string[] {
  if (!isIP(name)) return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
  const canonical = isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name;
  return canonical === name ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

export const validateIPAddress = validatorOf<IPAddress>((address, old) => {
  const parent = address.spec?.parentRef;
  return [
    ...metadataErrors(address, old, { isNamespaced: false, name: addressName }),
    ...(parent ? parentErrors(parent) : [required('spec.parentRef')]),
    ...(old ? immutable(parent, old.spec?.parentRef, 'spec.parentRef') : []),
  ];
});

type Parent = NonNullable<NonNullable<IPAddress['spec']>['parentRef']>;

function parentErrors({ group, resource, name, namespace }: Parent): Errors {
  const segment = (value: string | undefined, field: string) =>
    value ? messagesOf(pathSegmentName(value), field, value) : [];
  return [
    ...(group ? messagesOf(dnsSubdomain(group), 'spec.parentRef.group', group) : []),
    ...(resource ? segment(resource, 'spec.parentRef.resource') : [required('spec.parentRef.resource')]),
    ...(name ? segment(name, 'spec.parentRef.name') : [required('spec.parentRef.name')]),
    ...segment(namespace, 'spec.parentRef.namespace'),
  ];
}

export const validateServiceCIDR = validatorOf<ServiceCIDR>((range, old) => {
  const cidrs = range.spec?.cidrs;
  const before = old?.spec?.cidrs ?? [];
  const isKept = before.every((text, index) => text === cidrs?.[index]);
  return [
    ...metadataErrors(range, old, { isNamespaced: false, name: dnsSubdomain }),
    ...when(!cidrs?.length, () => required('spec.cidrs', 'at least one CIDR required')),
    ...when((cidrs?.length ?? 0) > 2, () => forbiddenField('spec', 'may only hold up to 2 values')),
    ...each(cidrs, 'spec.cidrs', (text, path) => messagesOf(cidr(text), path, text)),
    ...when(cidrs?.length === 2 && familyOf(cidrs[0]!) === familyOf(cidrs[1]!), () =>
      invalidValue(
        'spec.cidrs',
        cidrs,
        'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96',
      ),
    ),
    ...when(old && (!isKept || (before.length === cidrs?.length && !same(before, cidrs))), () =>
      invalidValue('spec.cidrs[0]', cidrs?.[0], 'field is immutable'),
    ),
  ];
});

function familyOf(range: string): number {
  return isIP(range.split('/')[0]!);
}
