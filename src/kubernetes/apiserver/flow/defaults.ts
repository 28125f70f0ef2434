/** The flow schemas and priority levels that every cluster has. Source: apiserver `pkg/apis/flowcontrol/bootstrap/default.go`, v1.34. */
import type { FlowSchema, PriorityLevelConfiguration } from '../../types.ts';

type Rule = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];
type Subject = Rule['subjects'][number];
type ResourceRule = NonNullable<Rule['resourceRules']>[number];

/** Marks an object whose spec is put back at every start, until somebody says otherwise. */
export const AUTO_UPDATE = 'apf.kubernetes.io/autoupdate-spec';

const annotations = { [AUTO_UPDATE]: 'true' };

export const exemptLevel: PriorityLevelConfiguration = {
  metadata: { name: 'exempt', annotations },
  spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
};

export const catchAllLevel: PriorityLevelConfiguration = {
  metadata: { name: 'catch-all', annotations },
  spec: {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
  },
};

interface Queued {
  readonly shares: number;
  readonly lendablePercent: number;
  readonly queues: number;
  readonly handSize?: number;
}

function level(name: string, { shares, lendablePercent, queues, handSize = 6 }: Queued): PriorityLevelConfiguration {
  const queuing = { queues, handSize, queueLengthLimit: 50 };
  const limitResponse = { type: 'Queue', queuing };
  const limited = { nominalConcurrencyShares: shares, lendablePercent, limitResponse };
  return { metadata: { name, annotations }, spec: { type: 'Limited', limited } };
}

export const defaultLevels: readonly PriorityLevelConfiguration[] = [
  exemptLevel,
  catchAllLevel,
  level('system', { shares: 30, lendablePercent: 33, queues: 64 }),
  level('node-high', { shares: 40, lendablePercent: 25, queues: 64 }),
  level('leader-election', { shares: 10, lendablePercent: 0, queues: 16, handSize: 4 }),
  level('workload-high', { shares: 40, lendablePercent: 50, queues: 128 }),
  level('workload-low', { shares: 100, lendablePercent: 90, queues: 128 }),
  level('global-default', { shares: 20, lendablePercent: 50, queues: 128 }),
];

const kubeSystem: Subject = { kind: 'ServiceAccount', serviceAccount: { namespace: 'kube-system', name: '*' } };
const everybody = [group('system:unauthenticated'), group('system:authenticated')];

/** Everything there is. */
const whole = {
  resourceRules: [resources(['*'], { groups: ['*'], resources: ['*'], clusterScope: true })],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

const election = ['get', 'create', 'update'];
const leases = resources(election, { groups: ['coordination.k8s.io'], resources: ['leases'] });

export const exemptSchema = schema('exempt', 'exempt', 1, [{ subjects: [group('system:masters')], ...whole }]);
export const catchAllSchema = schema('catch-all', 'catch-all', 10_000, [{ subjects: everybody, ...whole }], 'ByUser');

export const defaultSchemas: readonly FlowSchema[] = [
  exemptSchema,
  catchAllSchema,
  schema('probes', 'exempt', 2, [
    {
      subjects: everybody,
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
    },
  ]),
  schema(
    'system-leader-election',
    'leader-election',
    100,
    [
      {
        subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), kubeSystem],
        resourceRules: [leases],
      },
    ],
    'ByUser',
  ),
  schema(
    'endpoint-controller',
    'workload-high',
    150,
    [
      {
        subjects: [
          user('system:kube-controller-manager'),
          account('endpoint-controller'),
          account('endpointslicemirroring-controller'),
        ],
        resourceRules: [resources(election, { groups: [''], resources: ['endpoints'] })],
      },
    ],
    'ByUser',
  ),
  schema(
    'workload-leader-election',
    'leader-election',
    200,
    [{ subjects: [kubeSystem], resourceRules: [leases] }],
    'ByUser',
  ),
  schema(
    'system-node-high',
    'node-high',
    400,
    [
      {
        subjects: [group('system:nodes')],
        resourceRules: [
          resources(['*'], { groups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true }),
          resources(['*'], { groups: ['coordination.k8s.io'], resources: ['leases'] }),
        ],
      },
    ],
    'ByUser',
  ),
  schema('system-nodes', 'system', 500, [{ subjects: [group('system:nodes')], ...whole }], 'ByUser'),
  schema(
    'kube-controller-manager',
    'workload-high',
    800,
    [{ subjects: [user('system:kube-controller-manager')], ...whole }],
    'ByNamespace',
  ),
  schema(
    'kube-scheduler',
    'workload-high',
    800,
    [{ subjects: [user('system:kube-scheduler')], ...whole }],
    'ByNamespace',
  ),
  schema('kube-system-service-accounts', 'workload-high', 900, [{ subjects: [kubeSystem], ...whole }], 'ByNamespace'),
  schema(
    'service-accounts',
    'workload-low',
    9000,
    [{ subjects: [group('system:serviceaccounts')], ...whole }],
    'ByUser',
  ),
  schema('global-default', 'global-default', 9900, [{ subjects: everybody, ...whole }], 'ByUser'),
];

function schema(
  name: string,
  priorityLevel: string,
  matchingPrecedence: number,
  rules: readonly Rule[],
  distinguisher?: 'ByUser' | 'ByNamespace',
): FlowSchema {
  return {
    metadata: { name, annotations },
    spec: {
      priorityLevelConfiguration: { name: priorityLevel },
      matchingPrecedence,
      ...(distinguisher && { distinguisherMethod: { type: distinguisher } }),
      rules,
    },
  };
}

function resources(
  verbs: readonly string[],
  {
    groups,
    resources,
    clusterScope = false,
  }: { readonly groups: readonly string[]; readonly resources: readonly string[]; readonly clusterScope?: boolean },
): ResourceRule {
  return {
    verbs,
    apiGroups: groups,
    resources,
    namespaces: ['*'],
    ...(clusterScope && { clusterScope }),
  };
}

function user(name: string): Subject {
  return { kind: 'User', user: { name } };
}

function group(name: string): Subject {
  return { kind: 'Group', group: { name } };
}

function account(name: string): Subject {
  return { kind: 'ServiceAccount', serviceAccount: { namespace: 'kube-system', name } };
}
