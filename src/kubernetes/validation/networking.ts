/** Ingresses, ingress classes and network policies: `pkg/apis/networking/validation`. */
import { isIP } from 'node:net';
import type { Ingress, IngressClass, NetworkPolicy } from '../types.ts';
import {
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  notSupported,
  oneOf,
  required,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { cidr, dns1035Label, dnsSubdomain, portName, portNumber } from './names.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };

type IngressSpec = NonNullable<Ingress['spec']>;
type Backend = NonNullable<IngressSpec['defaultBackend']>;
type Path = NonNullable<NonNullable<IngressSpec['rules']>[number]['http']>['paths'][number];

export const validateIngress = validatorOf<Ingress>((ingress, old) => {
  const { spec = {}, metadata } = ingress;
  return [
    ...metadataErrors(ingress, old, namespaced),
    ...when(
      !old &&
        metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined &&
        spec.ingressClassName !== undefined,
      () =>
        invalidValue(
          'metadata.annotations[kubernetes.io/ingress.class]',
          metadata?.annotations?.['kubernetes.io/ingress.class'],
          'can not be set when the class field is also set',
        ),
    ),
    ...when(!spec.rules?.length && !spec.defaultBackend, () =>
      invalidValue('spec', { ...spec }, 'either `defaultBackend` or `rules` must be specified'),
    ),
    ...(spec.defaultBackend ? backendErrors(spec.defaultBackend, 'spec.defaultBackend') : []),
    ...each(spec.rules, 'spec.rules', ({ host, http }, path) => [
      ...(host ? hostErrors(host, `${path}.host`) : []),
      ...(http
        ? [
            ...when(!http.paths?.length, () => required(`${path}.http.paths`)),
            ...each(http.paths, `${path}.http.paths`, pathErrors),
          ]
        : []),
    ]),
    ...each(spec.tls, 'spec.tls', ({ hosts, secretName }, path) => [
      ...each(hosts, `${path}.hosts`, (host, hostPath) => hostErrors(host, hostPath)),
      ...(secretName ? messagesOf(dnsSubdomain(secretName), `${path}.secretName`, secretName) : []),
    ]),
    ...(spec.ingressClassName
      ? messagesOf(dnsSubdomain(spec.ingressClassName), 'spec.ingressClassName', spec.ingressClassName)
      : []),
  ];
});

function hostErrors(host: string, field: string): Errors {
  if (isIP(host)) return [invalidValue(field, host, 'must be a DNS name, not an IP address')];
  if (!host.includes('*')) return messagesOf(dnsSubdomain(host), field, host);
  const wildcard =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
  const isValid = host.startsWith('*.') && dnsSubdomain(host.slice(2)).length === 0;
  return when(!isValid, () => invalidValue(field, host, wildcard));
}

function pathErrors({ path, pathType, backend }: Path, field: string): Errors {
  const isRooted = path?.startsWith('/');
  return [
    ...(pathType ? [] : [required(`${field}.pathType`, 'pathType must be specified')]),
    ...oneOf(pathType, `${field}.pathType`, ['Exact', 'ImplementationSpecific', 'Prefix']),
    ...when((pathType === 'Exact' || pathType === 'Prefix') && !isRooted, () =>
      invalidValue(`${field}.path`, path ?? '', 'must be an absolute path'),
    ),
    ...when(pathType === 'ImplementationSpecific' && path && !isRooted, () =>
      invalidValue(`${field}.path`, path, 'must be an absolute path'),
    ),
    ...(pathType === 'Exact' || pathType === 'Prefix'
      ? ['//', '/./', '/../', '%2f', '%2F'].flatMap((part) =>
          when(path?.includes(part), () => invalidValue(`${field}.path`, path, `must not contain '${part}'`)),
        )
      : []),
    ...backendErrors(backend ?? {}, `${field}.backend`),
  ];
}

function backendErrors({ service, resource }: Backend, field: string): Errors {
  if (service && resource) return [invalidValue(field, '', 'cannot set both resource and service backends')];
  if (!service && !resource) return [required(field, 'port name or number is required')];
  if (!service) return [];
  const { name, number } = service.port ?? {};
  return [
    ...(service.name
      ? messagesOf(dns1035Label(service.name), `${field}.service.name`, service.name)
      : [required(`${field}.service.name`)]),
    ...when(name && number, () => invalidValue(field, '', 'cannot set both port name & port number')),
    ...(name ? messagesOf(portName(name), `${field}.service.port.name`, name) : []),
    ...(number ? messagesOf(portNumber(number), `${field}.service.port.number`, number) : []),
    ...when(!name && !number, () => required(`${field}.service.port`, 'port name or number is required')),
  ];
}

export const validateIngressClass = validatorOf<IngressClass>((ingressClass, old) => {
  const { controller, parameters } = ingressClass.spec ?? {};
  return [
    ...metadataErrors(ingressClass, old, { isNamespaced: false, name: dnsSubdomain }),
    ...when(!controller, () => required('spec.controller')),
    ...when((controller?.length ?? 0) > 250, () => ({
      type: 'Too long' as const,
      field: 'spec.controller',
      message: 'Too long: may not be more than 250 bytes',
    })),
    ...when(controller && !/^[^/]+\/.+/.test(controller), () =>
      invalidValue('spec.controller', controller, 'must be a domain-prefixed path (such as "acme.io/foo")'),
    ),
    ...when(parameters && !parameters.kind, () => required('spec.parameters.kind', 'kind is required')),
    ...when(parameters && !parameters.name, () => required('spec.parameters.name', 'name is required')),
    ...(parameters?.scope ? oneOf(parameters.scope, 'spec.parameters.scope', ['Cluster', 'Namespace']) : []),
    ...when(parameters?.scope === 'Namespace' && !parameters.namespace, () =>
      required('spec.parameters.namespace', "`parameters.scope` is set to 'Namespace'"),
    ),
    ...(old?.spec?.controller ? immutable(controller, old.spec.controller, 'spec.controller') : []),
  ];
});

type PolicySpec = NonNullable<NetworkPolicy['spec']>;
type Peer = NonNullable<NonNullable<PolicySpec['egress']>[number]['to']>[number];
type PolicyPort = NonNullable<NonNullable<PolicySpec['egress']>[number]['ports']>[number];

export const validateNetworkPolicy = validatorOf<NetworkPolicy>((policy, old) => {
  const spec = policy.spec;
  const types = spec?.policyTypes ?? [];
  return [
    ...metadataErrors(policy, old, namespaced),
    ...selectorErrors(spec?.podSelector, 'spec.podSelector'),
    ...each(spec?.ingress, 'spec.ingress', ({ ports, from }, path) => [
      ...each(ports, `${path}.ports`, policyPortErrors),
      ...each(from, `${path}.from`, peerErrors),
    ]),
    ...each(spec?.egress, 'spec.egress', ({ ports, to }, path) => [
      ...each(ports, `${path}.ports`, policyPortErrors),
      ...each(to, `${path}.to`, peerErrors),
    ]),
    ...when(types.length > 2, () =>
      invalidValue('spec.policyTypes', types, 'may not specify more than two policyTypes'),
    ),
    ...each(types, 'spec.policyTypes', (type, path) =>
      when(!['Egress', 'Ingress'].includes(type), () => notSupported(path, type, ['Egress', 'Ingress'])),
    ),
  ];
});

function policyPortErrors({ port, endPort, protocol }: PolicyPort, path: string): Errors {
  return [
    ...oneOf(protocol, `${path}.protocol`, ['SCTP', 'TCP', 'UDP']),
    ...(typeof port === 'number' ? messagesOf(portNumber(port), `${path}.port`, port) : []),
    ...(typeof port === 'string' ? messagesOf(portName(port), `${path}.port`, port) : []),
    ...when(endPort !== undefined && port === undefined, () =>
      required(`${path}.port`, 'must be specified when `endPort` is specified'),
    ),
    ...when(endPort !== undefined && typeof port === 'string', () =>
      forbiddenField(`${path}.endPort`, 'may not be specified when `port` is non-numeric'),
    ),
    ...when(endPort !== undefined && typeof port === 'number' && endPort < port, () =>
      invalidValue(`${path}.endPort`, endPort, 'must be greater than or equal to `port`'),
    ),
    ...(endPort === undefined ? [] : messagesOf(portNumber(endPort), `${path}.endPort`, endPort)),
  ];
}

function peerErrors({ podSelector, namespaceSelector, ipBlock }: Peer, path: string): Errors {
  const hasSelector = podSelector !== undefined || namespaceSelector !== undefined;
  return [
    ...selectorErrors(podSelector, `${path}.podSelector`),
    ...selectorErrors(namespaceSelector, `${path}.namespaceSelector`),
    ...when(!hasSelector && !ipBlock, () => required(path, 'must specify a peer')),
    ...when(hasSelector && ipBlock, () => forbiddenField(path, 'may not specify both ipBlock and another peer')),
    ...(ipBlock
      ? [
          ...(ipBlock.cidr
            ? messagesOf(cidr(ipBlock.cidr), `${path}.ipBlock.cidr`, ipBlock.cidr)
            : [required(`${path}.ipBlock.cidr`)]),
          ...each(ipBlock.except, `${path}.ipBlock.except`, (range, exceptPath) =>
            messagesOf(cidr(range), exceptPath, range),
          ),
        ]
      : []),
  ];
}
