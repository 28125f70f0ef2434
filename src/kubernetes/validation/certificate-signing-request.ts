/** Certificate signing requests: `pkg/apis/certificates/validation`. */
import type { CertificateSigningRequest } from '../types.ts';
import {
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  oneOf,
  required,
  same,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsLabel, dnsSubdomain } from './names.ts';

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
