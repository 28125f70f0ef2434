/** The rows of `networking.k8s.io` and `discovery.k8s.io`. */
import { formatLabelSelector, labelSelectorOf } from '../../selector.ts';
import type * as types from '../../types.ts';
import type { Resource } from '../resource.ts';
import { age, list, nameColumn } from './columns.ts';
import { column, row } from './row.ts';

const group = 'networking.k8s.io';

export const networkingRows: readonly Resource[] = [
  row<types.Ingress>(group, 'Ingress', 'ingresses', {
    shortNames: ['ing'],
    strategy: { hasGeneration: true, hasStatus: true },
    columns: [
      nameColumn,
      column(
        'Class',
        ({ metadata, spec }) =>
          spec?.ingressClassName ?? metadata?.annotations?.['kubernetes.io/ingress.class'] ?? '<none>',
      ),
      column('Hosts', ({ spec }) => (spec?.rules ?? []).flatMap(({ host }) => host ?? []).join(',') || '*'),
      column('Address', ({ status }) =>
        (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '').join(','),
      ),
      column('Ports', ({ spec }) => (spec?.tls?.length ? '80, 443' : '80')),
      age,
    ],
  }),
  row<types.IngressClass>(group, 'IngressClass', 'ingressclasses', {
    isClusterWide: true,
    strategy: { hasGeneration: true },
    columns: [
      nameColumn,
      column('Controller', ({ spec }) => spec?.controller ?? ''),
      column('Parameters', ({ spec }) => {
        const { apiGroup, kind, name } = spec?.parameters ?? {};
        return name ? `${kind}${apiGroup ? `.${apiGroup}` : ''}/${name}` : '<none>';
      }),
      age,
    ],
  }),
  row<types.NetworkPolicy>(group, 'NetworkPolicy', 'networkpolicies', {
    shortNames: ['netpol'],
    strategy: {
      hasGeneration: true,
      default({ spec }) {
        if (!spec) return;
        spec.policyTypes ??= spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
        for (const { ports } of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
          for (const port of ports ?? []) port.protocol ??= 'TCP';
      },
    },
    columns: [
      nameColumn,
      column('Pod-Selector', ({ spec }) => formatLabelSelector(labelSelectorOf(spec?.podSelector)) || '<none>'),
      age,
    ],
  }),
  row<types.ServiceCIDR>(group, 'ServiceCIDR', 'servicecidrs', {
    isClusterWide: true,
    strategy: { hasStatus: true },
    columns: [nameColumn, column('CIDRs', ({ spec }) => (spec?.cidrs ?? []).join(',')), age],
  }),
  row<types.IPAddress>(group, 'IPAddress', 'ipaddresses', {
    isClusterWide: true,
    shortNames: ['ip'],
    columns: [
      nameColumn,
      column('ParentRef', ({ spec }) => {
        const { group, resource, namespace, name } = spec?.parentRef ?? {};
        return name ? [group, resource, namespace, name].filter(Boolean).join('/') : '<none>';
      }),
      age,
    ],
  }),
  row<types.EndpointSlice>('discovery.k8s.io', 'EndpointSlice', 'endpointslices', {
    strategy: {
      hasGeneration: true,
      default({ ports }) {
        for (const port of ports ?? []) {
          port.name ??= '';
          port.protocol ??= 'TCP';
        }
      },
    },
    columns: [
      nameColumn,
      column('AddressType', ({ addressType }) => addressType),
      column(
        'Ports',
        ({ ports }) => firstOf((ports ?? []).map(({ port }) => (port === undefined ? '*' : String(port)))) || '<unset>',
      ),
      column(
        'Endpoints',
        ({ endpoints }) => firstOf((endpoints ?? []).flatMap(({ addresses }) => addresses)) || '<unset>',
      ),
      age,
    ],
  }),
];

function firstOf(values: readonly string[]): string {
  if (!values.length) return '';
  return values.length > 3 ? `${list(values.slice(0, 3))} + ${values.length - 3} more...` : list(values);
}
