/** Upstream's "should support … API operations" and lifecycles of resources that need no node: one row a name. */
import { after, before, test } from 'node:test';
import { type Api, type Json, PATIENCE_MS } from './api.ts';
import { apiOperations, makeNamespace, type Operations } from './lifecycle.ts';
import { type ApiCluster, startApiCluster } from './in-process.ts';

let cluster: ApiCluster;
let api: Api;
let namespace: string;
before(async () => {
  cluster = await startApiCluster();
  ({ api } = cluster);
  namespace = await makeNamespace(api, 'resources');
});
after(async () => await cluster[Symbol.asyncDispose]());

const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
const podTemplate = (labels: Json = { app: 'web' }): Json => ({
  metadata: { labels },
  spec: { containers: [{ name: 'web', image: 'web' }] },
});
const condition = {
  type: 'StatusPatched',
  status: 'True',
  reason: 'E2E',
  message: 'Set by a test',
  lastTransitionTime: now,
};
const hasCondition = (object: Json): boolean =>
  object.status?.conditions?.some(({ type }: Json) => type === 'StatusPatched');
const withCondition = { patch: { status: { conditions: [condition] } }, holds: hasCondition };

type Row = Omit<Operations, 'namespace' | 'label'> & { readonly title: string; readonly isNamespaced?: boolean };

const rows: readonly Row[] = [
  {
    title: '[sig-api-machinery] API priority and fairness should support FlowSchema API operations',
    group: '/apis/flowcontrol.apiserver.k8s.io/v1',
    resource: 'flowschemas',
    make: (name) => ({
      metadata: { name },
      spec: {
        matchingPrecedence: 10000,
        priorityLevelConfiguration: { name: 'exempt' },
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'example-e2e-user' } }],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          },
        ],
      },
    }),
    status: withCondition,
  },
  {
    title: '[sig-api-machinery] API priority and fairness should support PriorityLevelConfiguration API operations',
    group: '/apis/flowcontrol.apiserver.k8s.io/v1',
    resource: 'prioritylevelconfigurations',
    make: (name) => ({
      metadata: { name },
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } } },
    }),
    status: withCondition,
  },
  ...(['Mutating', 'Validating'] as const).map((kind): Row => ({
    title: `[sig-api-machinery] AdmissionWebhook should be able to create and update ${kind.toLowerCase()} webhook configurations with match conditions`,
    group: '/apis/admissionregistration.k8s.io/v1',
    resource: `${kind.toLowerCase()}webhookconfigurations`,
    make: (name) => ({
      metadata: { name },
      webhooks: [
        {
          name: 'a.example.com',
          clientConfig: { url: 'https://127.0.0.1:1/' },
          // Matches nothing: the test is of the configuration, not of calls.
          rules: [
            { operations: ['CREATE'], apiGroups: ['no.example.com'], apiVersions: ['v1'], resources: ['nothings'] },
          ],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          matchConditions: [{ name: 'expression-1', expression: "object.metadata.namespace == 'production'" }],
        },
      ],
    }),
  })),
  {
    title: '[sig-api-machinery] ValidatingAdmissionPolicy should support ValidatingAdmissionPolicy API operations',
    group: '/apis/admissionregistration.k8s.io/v1',
    resource: 'validatingadmissionpolicies',
    make: (name) => ({
      metadata: { name },
      spec: {
        matchConstraints: {
          resourceRules: [
            { operations: ['CREATE'], apiGroups: ['no.example.com'], apiVersions: ['v1'], resources: ['nothings'] },
          ],
        },
        validations: [{ expression: 'true' }],
      },
    }),
    status: withCondition,
  },
  {
    title:
      '[sig-api-machinery] ValidatingAdmissionPolicy should support ValidatingAdmissionPolicyBinding API operations',
    group: '/apis/admissionregistration.k8s.io/v1',
    resource: 'validatingadmissionpolicybindings',
    make: (name) => ({ metadata: { name }, spec: { policyName: 'replicalimit-policy', validationActions: ['Deny'] } }),
  },
  {
    title: '[sig-apps] ControllerRevision should manage the lifecycle of a ControllerRevision',
    group: '/apis/apps/v1',
    resource: 'controllerrevisions',
    isNamespaced: true,
    make: (name) => ({ metadata: { name }, data: { spec: {} }, revision: 1 }),
  },
  {
    title: '[sig-apps] CronJob should support CronJob API operations',
    group: '/apis/batch/v1',
    resource: 'cronjobs',
    isNamespaced: true,
    make: (name) => ({
      metadata: { name },
      spec: {
        schedule: '* */1 * * ?',
        suspend: true,
        jobTemplate: {
          spec: { template: { spec: { restartPolicy: 'OnFailure', containers: [{ name: 'c', image: 'busybox' }] } } },
        },
      },
    }),
    status: {
      patch: { status: { lastScheduleTime: now } },
      holds: (object) => object.status?.lastScheduleTime === now,
    },
  },
  {
    title: '[sig-network] EndpointSlice should support creating EndpointSlice API operations',
    group: '/apis/discovery.k8s.io/v1',
    resource: 'endpointslices',
    isNamespaced: true,
    make: (name) => ({
      metadata: { name },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }],
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    }),
  },
  {
    title: '[sig-network] Ingress API should support creating Ingress API operations',
    group: '/apis/networking.k8s.io/v1',
    resource: 'ingresses',
    isNamespaced: true,
    make: (name) => ({
      metadata: { name },
      spec: { defaultBackend: { service: { name: 'default-backend', port: { number: 80 } } } },
    }),
    status: {
      patch: { status: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } } },
      holds: (object) => object.status?.loadBalancer?.ingress?.[0]?.ip === '169.1.1.1',
    },
  },
  {
    title: '[sig-network] IngressClass API should support creating IngressClass API operations',
    group: '/apis/networking.k8s.io/v1',
    resource: 'ingressclasses',
    make: (name) => ({ metadata: { name }, spec: { controller: 'example.com/controller' } }),
  },
  {
    title: '[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations',
    group: '/apis/networking.k8s.io/v1',
    resource: 'servicecidrs',
    make: (name) => ({ metadata: { name }, spec: { cidrs: [`10.${97 + Number(name.at(-1))}.0.0/24`] } }),
  },
  {
    title: '[sig-node] RuntimeClass should support RuntimeClasses API operations',
    group: '/apis/node.k8s.io/v1',
    resource: 'runtimeclasses',
    make: (name) => ({ metadata: { name }, handler: `${name}-handler` }),
  },
  {
    title: '[sig-node] PodTemplates should run the lifecycle of PodTemplates',
    group: '/api/v1',
    resource: 'podtemplates',
    isNamespaced: true,
    make: (name) => ({ metadata: { name }, template: podTemplate() }),
  },
  {
    title: '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 DeviceClass',
    group: '/apis/resource.k8s.io/v1',
    resource: 'deviceclasses',
    make: (name) => ({ metadata: { name }, spec: {} }),
  },
  {
    title: '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim',
    group: '/apis/resource.k8s.io/v1',
    resource: 'resourceclaims',
    isNamespaced: true,
    make: (name) => ({
      metadata: { name },
      spec: { devices: { requests: [{ name: 'req-0', exactly: { deviceClassName: 'example' } }] } },
    }),
  },
  {
    title: '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate',
    group: '/apis/resource.k8s.io/v1',
    resource: 'resourceclaimtemplates',
    isNamespaced: true,
    make: (name) => ({
      metadata: { name },
      spec: { spec: { devices: { requests: [{ name: 'req-0', exactly: { deviceClassName: 'example' } }] } } },
    }),
  },
  {
    title: '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice',
    group: '/apis/resource.k8s.io/v1',
    resource: 'resourceslices',
    make: (name) => ({
      metadata: { name },
      spec: {
        driver: 'test.example.com',
        pool: { name, generation: 1, resourceSliceCount: 1 },
        allNodes: true,
        devices: [{ name: 'device-0' }],
      },
    }),
  },
  {
    title:
      '[sig-scheduling] SchedulerPreemption PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods',
    group: '/apis/scheduling.k8s.io/v1',
    resource: 'priorityclasses',
    make: (name) => ({ metadata: { name }, value: 10 * Number(name.at(-1)), description: 'of a test' }),
  },
  {
    title: '[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver',
    group: '/apis/storage.k8s.io/v1',
    resource: 'csidrivers',
    make: (name) => ({ metadata: { name }, spec: { attachRequired: false, volumeLifecycleModes: ['Ephemeral'] } }),
  },
  {
    title: '[sig-storage] CSINodes should run through the lifecycle of a csinode',
    group: '/apis/storage.k8s.io/v1',
    resource: 'csinodes',
    make: (name) => ({ metadata: { name }, spec: { drivers: [] } }),
  },
  {
    title: '[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations',
    group: '/apis/storage.k8s.io/v1',
    resource: 'csistoragecapacities',
    isNamespaced: true,
    make: (name) => ({ metadata: { name }, storageClassName: 'example', capacity: '1Gi' }),
  },
  {
    title: '[sig-storage] StorageClasses should run through the lifecycle of a StorageClass',
    group: '/apis/storage.k8s.io/v1',
    resource: 'storageclasses',
    make: (name) => ({ metadata: { name }, provisioner: 'example.com/provisioner' }),
  },
  {
    title: '[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment',
    group: '/apis/storage.k8s.io/v1',
    resource: 'volumeattachments',
    make: (name) => ({
      metadata: { name },
      spec: { attacher: 'example.com', nodeName: 'node', source: { persistentVolumeName: 'pv' } },
    }),
  },
  {
    title: '[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status',
    group: '/apis/storage.k8s.io/v1',
    resource: 'volumeattachments',
    make: (name) => ({
      metadata: { name },
      spec: { attacher: 'example.com', nodeName: 'node', source: { persistentVolumeName: 'pv' } },
    }),
    status: { patch: { status: { attached: true } }, holds: (object) => object.status?.attached === true },
  },
  {
    title: '[sig-storage] VolumeAttributesClass should run through the lifecycle of a VolumeAttributesClass',
    group: '/apis/storage.k8s.io/v1',
    resource: 'volumeattributesclasses',
    make: (name) => ({ metadata: { name }, driverName: 'example.com', parameters: { a: 'b' } }),
  },
  {
    title: '[sig-apps] DisruptionController should update/patch PodDisruptionBudget status',
    group: '/apis/policy/v1',
    resource: 'poddisruptionbudgets',
    isNamespaced: true,
    make: (name) => ({ metadata: { name }, spec: { minAvailable: 1, selector: { matchLabels: { foo: 'bar' } } } }),
    // Counts and disrupted pods are the controller's to correct; conditions of others it leaves alone.
    status: withCondition,
  },
  {
    title: '[sig-node] Lease lease API should be available',
    group: '/apis/coordination.k8s.io/v1',
    resource: 'leases',
    isNamespaced: true,
    make: (name) => ({
      metadata: { name },
      spec: {
        holderIdentity: 'holder',
        leaseDurationSeconds: 30,
        acquireTime: '2026-01-02T03:04:05.123456Z',
        leaseTransitions: 0,
      },
    }),
  },
];

for (const [index, { title, isNamespaced, ...operations }] of rows.entries())
  test(title, { timeout: PATIENCE_MS }, async () => {
    await apiOperations(api, { ...operations, label: `row${index}`, ...(isNamespaced && { namespace }) });
  });
