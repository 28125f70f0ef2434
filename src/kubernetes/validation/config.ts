/** Config maps and secrets: `pkg/apis/core/validation`, "ValidateConfigMap", "ValidateSecret". */
import type { ConfigMap, Secret } from '../types.ts';
import {
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  required,
  same,
  tooLong,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { configMapKey, dnsSubdomain } from './names.ts';

/** A mebibyte: what etcd holds in one value, less room for the rest. */
const maxBytes = 1024 * 1024;
const metadata = { isNamespaced: true, name: dnsSubdomain };

type Data = { readonly [key: string]: string } | undefined;

export const validateConfigMap = validatorOf<ConfigMap>((map, old) => {
  const { data, binaryData } = map;
  const size = textSize(data) + binarySize(binaryData);
  return [
    ...metadataErrors(map, old, metadata),
    ...keyErrors(data, 'data'),
    ...Object.keys(binaryData ?? {}).flatMap((key) => [
      ...messagesOf(configMapKey(key), `binaryData[${key}]`, key),
      ...when(data && Object.hasOwn(data, key), () =>
        invalidValue(`binaryData[${key}]`, key, 'duplicate of key present in data'),
      ),
    ]),
    ...when(size > maxBytes, () => tooLong('', maxBytes)),
    ...(old?.immutable
      ? [
          ...stillImmutable(map.immutable),
          ...when(!same(data, old.data), () => forbiddenField('data', 'field is immutable when `immutable` is set')),
          ...when(!same(binaryData, old.binaryData), () =>
            forbiddenField('binaryData', 'field is immutable when `immutable` is set'),
          ),
        ]
      : []),
  ];
});

export const validateSecret = validatorOf<Secret>((secret, old) => {
  const { data, type = 'Opaque' } = secret;
  return [
    ...metadataErrors(secret, old, metadata),
    ...keyErrors(data, 'data'),
    ...when(binarySize(data) > maxBytes, () => tooLong('data', maxBytes)),
    ...typeErrors(secret, type),
    ...(old ? immutable(type, old.type ?? 'Opaque', 'type') : []),
    ...(old?.immutable
      ? [
          ...stillImmutable(secret.immutable),
          ...when(!same(data, old.data), () => forbiddenField('data', 'field is immutable when `immutable` is set')),
        ]
      : []),
  ];
});

function stillImmutable(isImmutable: boolean | undefined): Errors {
  return when(!isImmutable, () => forbiddenField('immutable', 'field is immutable when `immutable` is set'));
}

function keyErrors(data: Data, field: string): Errors {
  return Object.keys(data ?? {}).flatMap((key) => messagesOf(configMapKey(key), `${field}[${key}]`, key));
}

function textSize(data: Data): number {
  return Object.values(data ?? {}).reduce((sum, value) => sum + Buffer.byteLength(value), 0);
}

function binarySize(data: Data): number {
  return Object.values(data ?? {}).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
}

/** The keys a type promises to whoever reads it. */
function typeErrors({ data = {}, metadata: meta }: Secret, type: string): Errors {
  switch (type) {
    case 'kubernetes.io/service-account-token':
      return when(!meta?.annotations?.['kubernetes.io/service-account.name'], () =>
        required('metadata.annotations[kubernetes.io/service-account.name]'),
      );
    case 'kubernetes.io/dockerconfigjson':
      return jsonErrors(data, '.dockerconfigjson');
    case 'kubernetes.io/dockercfg':
      return jsonErrors(data, '.dockercfg');
    case 'kubernetes.io/basic-auth':
      return when(data['username'] === undefined && data['password'] === undefined, () =>
        required('data[username]'),
      ).concat(
        when(data['username'] === undefined && data['password'] === undefined, () => required('data[password]')),
      );
    case 'kubernetes.io/ssh-auth':
      return when(!data['ssh-privatekey'], () => required('data[ssh-privatekey]'));
    case 'kubernetes.io/tls':
      return ['tls.crt', 'tls.key'].flatMap((key) => when(data[key] === undefined, () => required(`data[${key}]`)));
    default:
      return [];
  }
}

function jsonErrors(data: NonNullable<Data>, key: string): Errors {
  const value = data[key];
  if (value === undefined) return [required(`data[${key}]`)];
  try {
    JSON.parse(Buffer.from(value, 'base64').toString());
    return [];
  } catch (error) {
    if (error instanceof SyntaxError)
      return [invalidValue(`data[${key}]`, '<secret contents redacted>', error.message)];
    throw error;
  }
}
