/** Endpoints and endpoint slices: `pkg/apis/core/validation`, `pkg/apis/discovery/validation`. */
import type { Endpoints, EndpointSlice } from '../types.ts';
import {
  duplicate,
  each,
  immutable,
  messagesOf,
  oneOf,
  required,
  tooMany,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsLabel, dnsSubdomain, ipAddress, portNumber } from './names.ts';
import { specialAddressErrors } from './service.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };

const protocols = ['SCTP', 'TCP', 'UDP'];

export const validateEndpoints = validatorOf<Endpoints>((endpoints, old) => [
  ...metadataErrors(endpoints, old, namespaced),
  ...each(endpoints.subsets, 'subsets', (subset, path) => {
    const addressErrors = (address: EndpointAddress, field: string) => endpointAddressErrors(address, field, endpoints);
    const { addresses, notReadyAddresses, ports } = subset;
    return [
      ...when(!addresses?.length && !notReadyAddresses?.length, () =>
        required(path, 'must specify `addresses` or `notReadyAddresses`'),
      ),
      ...each(addresses, `${path}.addresses`, addressErrors),
      ...each(notReadyAddresses, `${path}.notReadyAddresses`, addressErrors),
      ...each(ports, `${path}.ports`, ({ name, port, protocol = 'TCP' }, portPath) => [
        ...(name
          ? messagesOf(dnsLabel(name), `${portPath}.name`, name)
          : when((ports?.length ?? 0) > 1, () => required(`${portPath}.name`))),
        ...messagesOf(portNumber(port), `${portPath}.port`, port),
        ...oneOf(protocol, `${portPath}.protocol`, protocols),
      ]),
    ];
  }),
]);

type EndpointAddress = { readonly ip: string; readonly hostname?: string };

function endpointAddressErrors({ ip, hostname }: EndpointAddress, path: string, endpoints: Endpoints): Errors {
  return [
    ...messagesOf(ipAddress(ip ?? ''), `${path}.ip`, ip),
    ...(isApiServer(endpoints) ? [] : specialAddressErrors(ip ?? '', `${path}.ip`)),
    ...(hostname ? messagesOf(dnsLabel(hostname), `${path}.hostname`, hostname) : []),
  ];
}

/** Our API servers listen on loopback; each node's proxy carries the way there. */
function isApiServer({ metadata }: Endpoints | EndpointSlice): boolean {
  return metadata?.namespace === 'default' && metadata.name === 'kubernetes';
}

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];
const maxEndpoints = 1000;
const maxAddresses = 100;

export const validateEndpointSlice = validatorOf<EndpointSlice>((slice, old) => [
  ...metadataErrors(slice, old, namespaced),
  ...(slice.addressType ? oneOf(slice.addressType, 'addressType', addressTypes) : [required('addressType')]),
  ...when((slice.endpoints?.length ?? 0) > maxEndpoints, () =>
    tooMany('endpoints', slice.endpoints.length, maxEndpoints),
  ),
  ...each(slice.endpoints, 'endpoints', ({ addresses, hostname }, path) => [
    ...when(!addresses?.length, () => required(`${path}.addresses`, 'must contain at least 1 address')),
    ...when((addresses?.length ?? 0) > maxAddresses, () =>
      tooMany(`${path}.addresses`, addresses.length, maxAddresses),
    ),
    ...each(addresses, `${path}.addresses`, (address, addressPath) =>
      slice.addressType === 'FQDN'
        ? messagesOf(dnsSubdomain(address), addressPath, address)
        : [
            ...messagesOf(ipAddress(address), addressPath, address),
            ...(isApiServer(slice) ? [] : specialAddressErrors(address, addressPath)),
          ],
    ),
    ...(hostname ? messagesOf(dnsLabel(hostname), `${path}.hostname`, hostname) : []),
  ]),
  ...each(slice.ports, 'ports', ({ name, port, protocol }, path) => [
    ...(name ? messagesOf(dnsLabel(name), `${path}.name`, name) : []),
    ...(port === undefined ? [] : messagesOf(portNumber(port), `${path}.port`, port)),
    ...oneOf(protocol ?? 'TCP', `${path}.protocol`, protocols),
  ]),
  ...duplicatePortNames(slice),
  ...(old ? immutable(slice.addressType, old.addressType, 'addressType') : []),
]);

/** One port may go without a name, two may not. */
function duplicatePortNames({ ports }: EndpointSlice): Errors {
  const seen = new Set<string>();
  return each(ports, 'ports', ({ name = '' }, path) => {
    const isKnown = seen.has(name);
    seen.add(name);
    return when(isKnown, () => duplicate(`${path}.name`, name));
  });
}
