/** The rows of small groups: policy, scheduling, coordination, node, certificates, flow control, dynamic resources. */
import type * as types from '../../types.ts';
import type { Resource } from '../resource.ts';
import { age, nameColumn, since } from './columns.ts';
import { column, part, row } from './row.ts';

const integer = { type: 'integer' } as const;

export const policyRows: readonly Resource[] = [
  row<types.PodDisruptionBudget>('policy', 'PodDisruptionBudget', 'poddisruptionbudgets', {
    shortNames: ['pdb'],
    strategy: {
      hasGeneration: true,
      hasStatus: true,
      prepareForCreate(budget) {
        budget.status = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
      },
    },
    columns: [
      nameColumn,
      column('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A')),
      column('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')),
      column('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0, integer),
      age,
    ],
  }),
  row<types.PriorityClass>('scheduling.k8s.io', 'PriorityClass', 'priorityclasses', {
    isClusterWide: true,
    shortNames: ['pc'],
    strategy: {
      hasGeneration: true,
      default: (priority) => void (priority.preemptionPolicy ??= 'PreemptLowerPriority'),
    },
    columns: [
      nameColumn,
      column('Value', ({ value }) => value, integer),
      column('Global-Default', ({ globalDefault }) => globalDefault ?? false, { type: 'boolean' }),
      age,
      column('PreemptionPolicy', ({ preemptionPolicy }) => preemptionPolicy ?? ''),
    ],
  }),
  row<types.Lease>('coordination.k8s.io', 'Lease', 'leases', {
    strategy: { isCreatedOnUpdate: true },
    columns: [nameColumn, column('Holder', ({ spec }) => spec?.holderIdentity ?? ''), age],
  }),
  row<types.RuntimeClass>('node.k8s.io', 'RuntimeClass', 'runtimeclasses', {
    isClusterWide: true,
    columns: [nameColumn, column('Handler', ({ handler }) => handler), age],
  }),
  row<types.CertificateSigningRequest>(
    'certificates.k8s.io',
    'CertificateSigningRequest',
    'certificatesigningrequests',
    {
      isClusterWide: true,
      shortNames: ['csr'],
      strategy: {
        hasStatus: true,
        default: ({ spec }) => spec && void (spec.usages ??= ['digital signature', 'key encipherment']),
        prepareForCreate({ spec }, { user }) {
          if (!spec) return;
          // Who asks is not for the asker to say.
          spec.username = user.username;
          spec.groups = [...user.groups];
          if (user.uid) spec.uid = user.uid;
          else delete spec.uid;
          if (user.extra)
            spec.extra = Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]));
          else delete spec.extra;
        },
      },
      subresources: {
        approval: part<types.CertificateSigningRequest>((next, old) => {
          const others = (old.status?.conditions ?? []).filter(({ type }) => !isVerdict(type));
          const verdicts = (next.status?.conditions ?? []).filter(({ type }) => isVerdict(type));
          old.status = { ...old.status, conditions: [...others, ...verdicts] };
        }),
      },
      selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName },
      columns: [
        nameColumn,
        age,
        column('SignerName', ({ spec }) => spec.signerName),
        column('Requestor', ({ spec }) => spec.username ?? ''),
        column('RequestedDuration', ({ spec }) =>
          spec.expirationSeconds === undefined
            ? '<none>'
            : since(new Date(0).toISOString(), spec.expirationSeconds * 1000),
        ),
        column('Condition', requestCondition),
      ],
    },
  ),
  row<types.FlowSchema>('flowcontrol.apiserver.k8s.io', 'FlowSchema', 'flowschemas', {
    isClusterWide: true,
    strategy: {
      hasGeneration: true,
      hasStatus: true,
      default: ({ spec }) => spec && void (spec.matchingPrecedence ??= 1000),
    },
    columns: [
      nameColumn,
      column('PriorityLevel', ({ spec }) => spec?.priorityLevelConfiguration.name ?? ''),
      column('MatchingPrecedence', ({ spec }) => spec?.matchingPrecedence ?? 0, integer),
      column('DistinguisherMethod', ({ spec }) => spec?.distinguisherMethod?.type ?? '<none>'),
      age,
      column('MissingPL', ({ status }) => status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?'),
    ],
  }),
  row<types.PriorityLevelConfiguration>(
    'flowcontrol.apiserver.k8s.io',
    'PriorityLevelConfiguration',
    'prioritylevelconfigurations',
    {
      isClusterWide: true,
      strategy: {
        hasGeneration: true,
        hasStatus: true,
        default({ spec }) {
          if (spec?.limited) {
            spec.limited.nominalConcurrencyShares ??= 30;
            spec.limited.lendablePercent ??= 0;
            const { limitResponse } = spec.limited;
            if (limitResponse?.type === 'Queue') {
              const queuing = (limitResponse.queuing ??= {});
              queuing.queues ??= 64;
              queuing.handSize ??= 8;
              queuing.queueLengthLimit ??= 50;
            }
          }
        },
      },
      columns: [
        nameColumn,
        column('Type', ({ spec }) => spec?.type ?? ''),
        column('NominalConcurrencyShares', ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? '<none>'),
        column('Queues', ({ spec }) => spec?.limited?.limitResponse?.queuing?.queues ?? '<none>'),
        column('HandSize', ({ spec }) => spec?.limited?.limitResponse?.queuing?.handSize ?? '<none>'),
        column('QueueLengthLimit', ({ spec }) => spec?.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>'),
        age,
      ],
    },
  ),
  row<types.DeviceClass>('resource.k8s.io', 'DeviceClass', 'deviceclasses', {
    isClusterWide: true,
    strategy: { hasGeneration: true },
  }),
  row<types.ResourceClaim>('resource.k8s.io', 'ResourceClaim', 'resourceclaims', {
    strategy: { hasStatus: true },
    columns: [
      nameColumn,
      column('State', ({ metadata, status }) => {
        const states = [
          ...(metadata?.deletionTimestamp ? ['deleted'] : []),
          ...(status?.allocation ? ['allocated'] : []),
          ...(status?.reservedFor?.length ? ['reserved'] : []),
        ];
        return states.join(',') || 'pending';
      }),
      age,
    ],
  }),
  row<types.ResourceClaimTemplate>('resource.k8s.io', 'ResourceClaimTemplate', 'resourceclaimtemplates'),
  row<types.ResourceSlice>('resource.k8s.io', 'ResourceSlice', 'resourceslices', {
    isClusterWide: true,
    strategy: { hasGeneration: true },
    selectableFields: { 'spec.driver': ({ spec }) => spec.driver, 'spec.nodeName': ({ spec }) => spec.nodeName ?? '' },
    columns: [
      nameColumn,
      column('Node', ({ spec }) => spec.nodeName ?? '<unset>'),
      column('Driver', ({ spec }) => spec.driver),
      column('Pool', ({ spec }) => spec.pool.name),
      age,
    ],
  }),
];

function isVerdict(type: string): boolean {
  return type === 'Approved' || type === 'Denied';
}

function requestCondition({ status }: types.CertificateSigningRequest): string {
  const has = (name: string) => status?.conditions?.some(({ type }) => type === name);
  const verdict = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return [verdict, ...(has('Failed') ? ['Failed'] : []), ...(status?.certificate ? ['Issued'] : [])].join(',');
}
