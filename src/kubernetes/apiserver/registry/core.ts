/** The rows of the core group. */
import type * as types from '../../types.ts';
import type { Resource } from '../resource.ts';
import { type Draft, draftOf } from '../draft.ts';
import { age, list, nameColumn, pairs } from './columns.ts';
import { eventColumns, eventFields } from './event-columns.ts';
import { eventsGroupVersion } from './event-versions.ts';
import { nodeColumns } from './node-columns.ts';
import { podColumns } from './pod-columns.ts';
import { podParts, podStrategy } from './pod.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { column, part, row } from './row.ts';
import { scaleOfReplicas } from './scale.ts';
import { serviceColumns, serviceStrategy } from './service.ts';
import { namespaceStrategy } from './namespace.ts';
import { volumeClaimStrategy, volumeStrategy, claimColumns, volumeColumns } from './volumes.ts';
import { replicationControllerColumns, replicationControllerStrategy } from './replication-controller.ts';

const all = ['all'];

export const coreRows: readonly Resource[] = [
  row<types.Namespace>('', 'Namespace', 'namespaces', {
    isClusterWide: true,
    shortNames: ['ns'],
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    strategy: namespaceStrategy,
    subresources: {
      finalize: part<types.Namespace>((next, old) => void (old.spec = next.spec ?? {}), ['update']),
    },
    columns: [nameColumn, column('Status', ({ status }) => status?.phase ?? ''), age],
    selectableFields: { 'status.phase': ({ status }) => status?.phase ?? '' },
  }),
  row<types.Node>('', 'Node', 'nodes', {
    isClusterWide: true,
    shortNames: ['no'],
    strategy: { hasStatus: false, prepareForUpdate: (node, old) => void (node.status = draftOf(old.status ?? {})) },
    subresources: {
      status: nodeStatus(),
      proxy: { kind: 'connect', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    },
    columns: nodeColumns,
    selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
  }),
  row<types.Pod>('', 'Pod', 'pods', {
    shortNames: ['po'],
    categories: all,
    strategy: podStrategy,
    subresources: podParts,
    columns: podColumns,
    selectableFields: {
      'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
      'spec.restartPolicy': ({ spec }) => spec?.restartPolicy ?? '',
      'spec.schedulerName': ({ spec }) => spec?.schedulerName ?? '',
      'spec.serviceAccountName': ({ spec }) => spec?.serviceAccountName ?? '',
      'spec.hostNetwork': ({ spec }) => String(spec?.hostNetwork ?? false),
      'status.phase': ({ status }) => status?.phase ?? '',
      'status.podIP': ({ status }) => status?.podIP ?? '',
      'status.podIPs': ({ status }) => status?.podIPs?.[0]?.ip ?? '',
      'status.nominatedNodeName': ({ status }) => status?.nominatedNodeName ?? '',
    },
  }),
  row<types.PodTemplate>('', 'PodTemplate', 'podtemplates', {
    strategy: { default: ({ template }) => template && defaultPodTemplate(template), returnsDeleted: true },
    columns: [nameColumn, column('Pod Labels', ({ template }) => pairs(template?.metadata?.labels)), age],
  }),
  row<types.ReplicationController>('', 'ReplicationController', 'replicationcontrollers', {
    shortNames: ['rc'],
    categories: all,
    strategy: replicationControllerStrategy,
    subresources: { scale: scaleOfReplicas() },
    columns: replicationControllerColumns,
    selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
  }),
  row<types.Service>('', 'Service', 'services', {
    shortNames: ['svc'],
    categories: all,
    strategy: serviceStrategy,
    subresources: { proxy: { kind: 'connect', verbs: ['create', 'delete', 'get', 'patch', 'update'] } },
    columns: serviceColumns,
    selectableFields: {
      'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
      'spec.type': ({ spec }) => spec?.type ?? '',
    },
  }),
  row<types.ConfigMap>('', 'ConfigMap', 'configmaps', {
    shortNames: ['cm'],
    columns: [
      nameColumn,
      column('Data', ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length, {
        type: 'integer',
      }),
      age,
    ],
  }),
  row<types.Secret>('', 'Secret', 'secrets', {
    strategy: {
      default: (secret) => void (secret.type ||= 'Opaque'),
      prepareForCreate: mergeStringData,
      prepareForUpdate: mergeStringData,
    },
    columns: [
      nameColumn,
      column('Type', ({ type }) => type ?? ''),
      column('Data', ({ data }) => Object.keys(data ?? {}).length, { type: 'integer' }),
      age,
    ],
    selectableFields: { type: ({ type }) => type ?? '' },
  }),
  row<types.ServiceAccount>('', 'ServiceAccount', 'serviceaccounts', {
    shortNames: ['sa'],
    strategy: { returnsDeleted: true },
    subresources: {
      token: {
        kind: 'post',
        name: 'token',
        bodyType: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
      },
    },
    columns: [nameColumn, column('Secrets', ({ secrets }) => secrets?.length ?? 0, { type: 'integer' }), age],
  }),
  row<types.Endpoints>('', 'Endpoints', 'endpoints', {
    shortNames: ['ep'],
    versions: [
      {
        group: '',
        version: 'v1',
        kind: 'Endpoints',
        deprecationWarning: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
      },
    ],
    strategy: {
      isCreatedOnUpdate: true,
      default: ({ subsets }) => {
        for (const { ports } of subsets ?? []) for (const port of ports ?? []) port.protocol ??= 'TCP';
      },
    },
    columns: [nameColumn, column('Endpoints', formatEndpoints), age],
  }),
  row<types.Event>('', 'Event', 'events', {
    shortNames: ['ev'],
    // Upstream's `--event-ttl`.
    strategy: { isCreatedOnUpdate: true, lifetimeMs: 60 * 60_000 },
    versions: [{ group: '', version: 'v1', kind: 'Event' }, eventsGroupVersion],
    columns: eventColumns,
    selectableFields: eventFields,
  }),
  row<types.LimitRange>('', 'LimitRange', 'limitranges', {
    shortNames: ['limits'],
    strategy: { isCreatedOnUpdate: true, default: defaultLimitRange },
    columns: [nameColumn, column('Created At', ({ metadata }) => metadata?.creationTimestamp ?? '', { type: 'date' })],
  }),
  row<types.ResourceQuota>('', 'ResourceQuota', 'resourcequotas', {
    shortNames: ['quota'],
    strategy: { hasStatus: true, returnsDeleted: true },
    columns: [
      nameColumn,
      column('Request', (quota) => usage(quota, false)),
      column('Limit', (quota) => usage(quota, true)),
      age,
    ],
  }),
  row<types.PersistentVolume>('', 'PersistentVolume', 'persistentvolumes', {
    isClusterWide: true,
    shortNames: ['pv'],
    strategy: volumeStrategy,
    columns: volumeColumns,
  }),
  row<types.PersistentVolumeClaim>('', 'PersistentVolumeClaim', 'persistentvolumeclaims', {
    shortNames: ['pvc'],
    strategy: volumeClaimStrategy,
    columns: claimColumns,
  }),
  row('', 'ComponentStatus', 'componentstatuses', {
    isClusterWide: true,
    shortNames: ['cs'],
    verbs: ['get', 'list'],
    virtual: async () => components,
    columns: [nameColumn, column('Status', () => 'Healthy'), column('Message', () => 'ok'), column('Error', () => '')],
    versions: [
      {
        group: '',
        version: 'v1',
        kind: 'ComponentStatus',
        deprecationWarning: 'v1 ComponentStatus is deprecated in v1.19+',
      },
    ],
  }),
];

/** What a control plane is made of; all in one process, which is there when it answers. */
const components = ['controller-manager', 'etcd-0', 'scheduler'].map((name) => ({
  kind: 'ComponentStatus',
  apiVersion: 'v1',
  metadata: { name },
  conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }],
}));

function nodeStatus() {
  return part<types.Node>((next, old) => {
    old.status = next.status ?? {};
    old.metadata = { ...old.metadata, ...next.metadata };
  });
}

function mergeStringData(secret: { data?: { [key: string]: string }; stringData?: { [key: string]: string } }): void {
  if (!secret.stringData) return;
  const encoded = Object.entries(secret.stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  secret.data = { ...secret.data, ...Object.fromEntries(encoded) };
  delete secret.stringData;
}

function formatEndpoints({ subsets }: types.Endpoints): string {
  const addresses = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length
      ? ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`))
      : addresses.map(({ ip }) => ip),
  );
  if (addresses.length <= 3) return list(addresses);
  return `${addresses.slice(0, 3).join(',')} + ${addresses.length - 3} more...`;
}

/** A limit without default is its own default; a request without default is the limit's. */
function defaultLimitRange({ spec }: Draft<types.LimitRange>): void {
  for (const limit of spec?.limits ?? []) {
    if (limit.type !== 'Container') continue;
    const defaults = { ...limit.max, ...limit.default };
    if (Object.keys(defaults).length) limit.default = defaults;
    const requests = { ...limit.min, ...limit.default, ...limit.defaultRequest };
    if (Object.keys(requests).length) limit.defaultRequest = requests;
  }
}

function usage({ status }: types.ResourceQuota, ofLimits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .toSorted()
    .filter((name) => name.startsWith('limits.') === ofLimits)
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`)
    .join(', ');
}
