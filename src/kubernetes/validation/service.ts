/** Services: `pkg/apis/core/validation/validation.go`, "ValidateService". */
import { isIP } from 'node:net';
import type { Service } from '../types.ts';
import {
  duplicate,
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  notSupported,
  oneOf,
  required,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { labelErrors, metadataErrors } from './metadata.ts';
import { cidr, dns1035Label, dnsLabel, dnsSubdomain, ipAddress, portName, portNumber } from './names.ts';

type Spec = NonNullable<Service['spec']>;
type Port = NonNullable<Spec['ports']>[number];

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const protocols = ['SCTP', 'TCP', 'UDP'];
const kubeletPort = 10_250;

export const validateService = validatorOf<Service>((service, old) => {
  const { spec = {} } = service;
  return [
    ...metadataErrors(service, old, { isNamespaced: true, name: dns1035Label }),
    ...portErrors(spec),
    ...typeErrors(spec),
    ...labelErrors(spec.selector, 'spec.selector'),
    ...affinityErrors(spec),
    ...addressErrors(spec),
    ...trafficErrors(spec),
    ...sourceRangeErrors(spec),
    ...(old?.spec ? updateErrors(spec, old.spec) : []),
  ];
});

function isHeadless({ clusterIP }: Spec): boolean {
  return clusterIP === 'None';
}

function portErrors(spec: Spec): Errors {
  const ports = spec.ports ?? [];
  const isNameless = !isHeadless(spec) && spec.type !== 'ExternalName';
  return [
    ...when(ports.length === 0 && isNameless, () => required('spec.ports')),
    ...each(ports, 'spec.ports', (port, path) => [
      ...when(spec.type === 'LoadBalancer' && port.port === kubeletPort, () =>
        invalidValue(path, port.port, `may not expose port ${kubeletPort} externally since it is used by kubelet`),
      ),
      ...onePortErrors(port, path, ports.length > 1),
      ...when(spec.type === 'ClusterIP' && port.nodePort, () =>
        forbiddenField(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"),
      ),
    ]),
    ...duplicatePorts(ports),
  ];
}

function onePortErrors(port: Port, path: string, isNameRequired: boolean): Errors {
  const { name, protocol, targetPort } = port;
  return [
    ...(name ? messagesOf(dnsLabel(name), `${path}.name`, name) : when(isNameRequired, () => required(`${path}.name`))),
    ...messagesOf(portNumber(port.port), `${path}.port`, port.port),
    ...oneOf(protocol ?? 'TCP', `${path}.protocol`, protocols),
    ...(typeof targetPort === 'number' ? messagesOf(portNumber(targetPort), `${path}.targetPort`, targetPort) : []),
    ...(typeof targetPort === 'string' ? messagesOf(portName(targetPort), `${path}.targetPort`, targetPort) : []),
  ];
}

function duplicatePorts(ports: readonly Port[]): Errors {
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  return each(ports, 'spec.ports', ({ name, port, protocol = 'TCP', nodePort }, path) => {
    const errors = [
      ...when(name && names.has(name), () => duplicate(`${path}.name`, name)),
      ...when(nodePort && nodePorts.has(`${nodePort}/${protocol}`), () => duplicate(`${path}.nodePort`, nodePort)),
      ...when(numbers.has(`${port}/${protocol}`), () => duplicate(path, { port, protocol })),
    ];
    if (name) names.add(name);
    if (nodePort) nodePorts.add(`${nodePort}/${protocol}`);
    numbers.add(`${port}/${protocol}`);
    return errors;
  });
}

function typeErrors(spec: Spec): Errors {
  const { type = 'ClusterIP', externalName, clusterIP } = spec;
  if (!types.includes(type)) return [notSupported('spec.type', type, types)];
  switch (type) {
    case 'LoadBalancer':
    case 'NodePort':
      return when(isHeadless(spec), () =>
        invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`),
      );
    case 'ExternalName': {
      // A trailing dot makes a name absolute.
      const name = externalName?.replace(/\.$/, '');
      return [
        ...when(clusterIP, () => forbiddenField('spec.clusterIPs', 'may not be set for ExternalName services')),
        ...(name ? messagesOf(dnsSubdomain(name), 'spec.externalName', externalName) : [required('spec.externalName')]),
      ];
    }
    default:
      return [];
  }
}

function affinityErrors({ sessionAffinity, sessionAffinityConfig }: Spec): Errors {
  const field = 'spec.sessionAffinityConfig';
  if (sessionAffinity === 'ClientIP') {
    const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
    return when(seconds !== undefined && (seconds <= 0 || seconds > 86_400), () =>
      invalidValue(`${field}.clientIP.timeoutSeconds`, seconds, 'must be greater than 0 and less than 86400'),
    );
  }
  return [
    ...oneOf(sessionAffinity, 'spec.sessionAffinity', ['ClientIP', 'None']),
    ...when(sessionAffinityConfig && sessionAffinity !== 'ClientIP', () =>
      forbiddenField(field, `must not be set when session affinity is ${sessionAffinity ?? 'None'}`),
    ),
  ];
}

function addressErrors({ clusterIP, clusterIPs, externalIPs, ipFamilies, ipFamilyPolicy }: Spec): Errors {
  return [
    ...when(clusterIP && clusterIP !== 'None' && !isIP(clusterIP), () =>
      invalidValue('spec.clusterIPs[0]', clusterIP, ipAddress(clusterIP!)[0]!),
    ),
    ...when(clusterIPs?.length && clusterIP !== clusterIPs[0], () =>
      invalidValue('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`'),
    ),
    ...when((clusterIPs?.length ?? 0) > 2, () =>
      invalidValue('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values'),
    ),
    ...each(externalIPs, 'spec.externalIPs', (ip, path) => [
      ...messagesOf(ipAddress(ip), path, ip),
      ...specialAddressErrors(ip, path),
    ]),
    ...each(ipFamilies, 'spec.ipFamilies', (family, path) => oneOf(family, path, ['IPv4', 'IPv6'])),
    ...oneOf(ipFamilyPolicy, 'spec.ipFamilyPolicy', ['PreferDualStack', 'RequireDualStack', 'SingleStack']),
  ];
}

/** Addresses that cannot be anybody's: upstream's `ValidateNonSpecialIP`. */
export function specialAddressErrors(ip: string, field: string): Errors {
  if (/^0\.0\.0\.0$|^::$/.test(ip)) return [invalidValue(field, ip, `may not be unspecified (${ip})`)];
  if (/^127\.|^::1$/.test(ip))
    return [invalidValue(field, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)')];
  if (/^169\.254\.|^fe[89ab]/i.test(ip))
    return [invalidValue(field, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')];
  if (/^224\.0\.0\.|^ff02:/i.test(ip))
    return [invalidValue(field, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')];
  return [];
}

function trafficErrors(spec: Spec): Errors {
  const { type, externalTrafficPolicy, internalTrafficPolicy, healthCheckNodePort } = spec;
  const isExternal = type === 'NodePort' || type === 'LoadBalancer' || !!spec.externalIPs?.length;
  return [
    ...when(externalTrafficPolicy && !isExternal, () =>
      invalidValue(
        'spec.externalTrafficPolicy',
        externalTrafficPolicy,
        'may only be set for externally-accessible services',
      ),
    ),
    ...(isExternal ? oneOf(externalTrafficPolicy, 'spec.externalTrafficPolicy', ['Cluster', 'Local']) : []),
    ...oneOf(internalTrafficPolicy, 'spec.internalTrafficPolicy', ['Cluster', 'Local']),
    ...when(healthCheckNodePort && !(type === 'LoadBalancer' && externalTrafficPolicy === 'Local'), () =>
      invalidValue(
        'spec.healthCheckNodePort',
        healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    ),
    ...when(spec.allocateLoadBalancerNodePorts !== undefined && type !== 'LoadBalancer', () =>
      forbiddenField('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"),
    ),
    ...when(spec.loadBalancerClass && type !== 'LoadBalancer', () =>
      forbiddenField('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"),
    ),
  ];
}

function sourceRangeErrors({ type, loadBalancerSourceRanges }: Spec): Errors {
  if (!loadBalancerSourceRanges?.length) return [];
  return [
    ...when(type !== 'LoadBalancer', () =>
      forbiddenField('spec.loadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"),
    ),
    ...each(loadBalancerSourceRanges, 'spec.loadBalancerSourceRanges', (range, path) =>
      messagesOf(cidr(range.trim()), path, range),
    ),
  ];
}

function updateErrors(spec: Spec, old: Spec): Errors {
  const isAddressed = spec.type !== 'ExternalName' && old.type !== 'ExternalName' && old.clusterIP;
  return [
    ...when(isAddressed && spec.clusterIP !== old.clusterIP, () =>
      invalidValue('spec.clusterIPs[0]', [spec.clusterIP ?? ''], 'may not change once set'),
    ),
    ...when(
      spec.type === 'LoadBalancer' && old.type === 'LoadBalancer' && spec.loadBalancerClass !== old.loadBalancerClass,
      () => invalidValue('spec.loadBalancerClass', spec.loadBalancerClass, 'may not change once set'),
    ),
  ];
}
