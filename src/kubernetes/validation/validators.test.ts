import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '../object.ts';
import { invalid } from '../status.ts';
import { validatorFor, validators } from './validators.ts';

/** What the client of the API would read. */
function refusal(key: string, object: object, old?: object): string {
  const [group = '', resource = ''] = key.split('/');
  const errors = validatorFor({ group, resource, isNamespaced: true })(object, old);
  const name = (object as KubernetesObject).metadata?.name ?? '';
  return errors.length === 0
    ? ''
    : invalid({ group: '', kind: 'K' }, name, errors).message.replace(/^K "[^"]*" is invalid: /, '');
}

const meta = (name: string, more: object = {}) => ({ metadata: { name, namespace: 'default', ...more } });
const container = (more: object = {}) => ({ name: 'c', image: 'i', ...more });
const pod = (spec: object = {}, more: object = {}) => ({
  ...meta('p', more),
  spec: { containers: [container()], restartPolicy: 'Always', ...spec },
});
const withContainer = (more: object, spec: object = {}) => pod({ containers: [container(more)], ...spec });
const unmappedDevice = withContainer(
  { volumeDevices: [{ name: 'v', devicePath: '/dev/xvda' }] },
  { hostUsers: false, volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] },
);
const template = (labels: object = { app: 'a' }, spec: object = {}) => ({
  metadata: { labels },
  spec: { containers: [container()], ...spec },
});
const deployment = (spec: object = {}) => ({
  ...meta('d'),
  spec: { replicas: 1, selector: { matchLabels: { app: 'a' } }, template: template(), ...spec },
});
const service = (spec: object = {}, name = 's') => ({
  ...meta(name),
  spec: { type: 'ClusterIP', ports: [{ port: 80 }], ...spec },
});

const label1123 =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomain1123 =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const label1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/** Resource, object, expected refusal, and what is stored for an update. */
type Case = readonly [resource: string, object: object, expected: string, old?: object];

const level = (limited: object, name = 'l') => ({
  metadata: { name },
  spec: {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' }, ...limited },
  },
});
const queuing = (more: object) =>
  level({
    limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 8, queueLengthLimit: 50, ...more } },
  });
const flowSchema = (rule: object, spec: object = {}) => ({
  metadata: { name: 'f' },
  spec: { matchingPrecedence: 10, priorityLevelConfiguration: { name: 'l' }, rules: [rule], ...spec },
});
const everything = { nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }] };
const levels = 'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations';
const flows = 'flowcontrol.apiserver.k8s.io/flowschemas';

const cases: { readonly [about: string]: readonly Case[] } = {
  'what every request goes through is whole': [
    [levels, level({}), ''],
    [levels, queuing({}), ''],
    [levels, { metadata: { name: 'exempt' }, spec: { type: 'Exempt' } }, ''],
    [
      levels,
      { metadata: { name: 'l' }, spec: { type: 'Exempt' } },
      `spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is 'exempt'`,
    ],
    [
      levels,
      queuing({ queues: 2 ** 30, handSize: 1 }),
      `spec.limited.limitResponse.queuing.queues: Invalid value: ${2 ** 30}: must not be greater than 10000000`,
    ],
    [
      levels,
      queuing({ handSize: 0 }),
      'spec.limited.limitResponse.queuing.handSize: Invalid value: 0: must be positive',
    ],
    [
      levels,
      queuing({ handSize: 20 }),
      'spec.limited.limitResponse.queuing.handSize: Invalid value: 20: required entropy bits of deckSize 64 and handSize 20 should not be greater than 60',
    ],
    [flows, flowSchema({ subjects: [{ kind: 'Group', group: { name: 'g' } }], ...everything }), ''],
    [flows, flowSchema(everything), 'spec.rules[0].subjects: Required value: subjects must contain at least one value'],
    [
      flows,
      flowSchema({ subjects: [{ kind: 'User' }], nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }] }),
      `spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'`,
    ],
    [
      flows,
      flowSchema({ subjects: [{ kind: 'Group', group: { name: 'g' } }], ...everything }, { matchingPrecedence: 1 }),
      `spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1`,
    ],
  ],
  'good objects pass': [
    ['/pods', pod(), ''],
    ['/services', service(), ''],
    ['apps/deployments', deployment(), ''],
    ['/configmaps', { ...meta('m'), data: { 'index.html': 'x' } }, ''],
    ['batch/jobs', { ...meta('j'), spec: { template: template({}, { restartPolicy: 'Never' }) } }, ''],
  ],
  metadata: [
    ['/pods', pod({}, { name: 'BAD_NAME' }), `metadata.name: Invalid value: "BAD_NAME": ${subdomain1123}`],
    ['/pods', pod({}, { name: '' }), 'metadata.name: Required value: name or generateName is required'],
    [
      '/pods',
      pod({}, { name: 'a'.repeat(254) }),
      `metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 bytes`,
    ],
    ['/namespaces', { metadata: { name: 'a.b' } }, `metadata.name: Invalid value: "a.b": ${label1123}`],
    [
      '/pods',
      pod({}, { labels: { 'a b': 'ok', app: '-x' } }),
      "[metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), " +
        "metadata.labels: Invalid value: \"-x\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')]",
    ],
    [
      '/pods',
      pod({}, { finalizers: ['mine'] }),
      'metadata.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
    [
      '/pods',
      pod({}, { annotations: { a: 'x'.repeat(262_144) } }),
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ],
    ['rbac.authorization.k8s.io/roles', meta('a/b'), `metadata.name: Invalid value: "a/b": may not contain '/'`],
    ['rbac.authorization.k8s.io/roles', meta('system:controller:x'), ''],
    ['example.com/widgets', meta('Bad'), `metadata.name: Invalid value: "Bad": ${subdomain1123}`],
  ],
  pods: [
    ['/pods', pod({ containers: [] }), 'spec.containers: Required value'],
    ['/pods', withContainer({ name: 'A' }), `spec.containers[0].name: Invalid value: "A": ${label1123}`],
    ['/pods', withContainer({ image: '' }), 'spec.containers[0].image: Required value'],
    ['/pods', pod({ containers: [container(), container()] }), 'spec.containers[1].name: Duplicate value: "c"'],
    [
      '/pods',
      pod({ restartPolicy: 'Sometimes' }),
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
    [
      '/pods',
      withContainer({ ports: [{ containerPort: 99_999 }] }),
      'spec.containers[0].ports[0].containerPort: Invalid value: 99999: must be between 1 and 65535, inclusive',
    ],
    [
      '/pods',
      withContainer({ ports: [{ containerPort: 1, name: 'this-name-is-too-long' }] }),
      'spec.containers[0].ports[0].name: Invalid value: "this-name-is-too-long": must be no more than 15 bytes',
    ],
    [
      '/pods',
      withContainer({ ports: [{ containerPort: 1, protocol: 'ICMP' }] }),
      'spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      '/pods',
      withContainer({ imagePullPolicy: 'Often' }),
      'spec.containers[0].imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"',
    ],
    [
      '/pods',
      withContainer({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ],
    [
      '/pods',
      withContainer(
        {
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        },
        { volumes: [{ name: 'v', emptyDir: {} }] },
      ),
      'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique',
    ],
    ['/pods', pod({ volumes: [{ name: 'v' }] }), 'spec.volumes[0]: Required value: must specify a volume type'],
    [
      '/pods',
      pod({ volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }] }),
      'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
    ],
    [
      '/pods',
      withContainer({ env: [{ name: 'A=B', value: 'x' }] }),
      `spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '=' (regex used for validation is '^[ -<>-~]+$')`,
    ],
    [
      '/pods',
      withContainer({ env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
      'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ],
    [
      '/pods',
      withContainer({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      '/pods',
      withContainer({ resources: { requests: { cpu: '-1' } } }),
      'spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [
      '/pods',
      withContainer({ resources: { requests: { gpu: '1' } } }),
      '[spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified, spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers]',
    ],
    [
      '/pods',
      withContainer({ livenessProbe: {} }),
      'spec.containers[0].livenessProbe: Required value: must specify a handler type',
    ],
    [
      '/pods',
      withContainer({ livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }),
      'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
    ],
    [
      '/pods',
      pod({ tolerations: [{ operator: 'Equal' }] }),
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
    [
      '/pods',
      pod({ activeDeadlineSeconds: 0 }),
      'spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive',
    ],
    [
      '/pods',
      pod({ securityContext: { runAsUser: -1 } }),
      'spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive',
    ],
    [
      '/pods',
      pod({
        affinity: {
          nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: {} }] },
        },
      }),
      'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100',
    ],
  ],
  'pod updates': [
    ['/pods', withContainer({ image: 'other' }), '', pod()],
    ['/pods', pod({ tolerations: [{ key: 'a', operator: 'Exists' }] }), '', pod()],
    [
      '/pods',
      pod({ containers: [container(), container({ name: 'd' })] }),
      'spec.containers: Forbidden: pod updates may not add or remove containers',
      pod(),
    ],
    [
      '/pods',
      pod({ hostname: 'h' }),
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n  changed: spec.hostname',
      pod(),
    ],
    [
      '/pods',
      pod({ tolerations: [] }),
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
      pod({ tolerations: [{ key: 'a', operator: 'Exists' }] }),
    ],
    [
      '/pods',
      pod({ schedulingGates: [{ name: 'b' }] }),
      "spec.schedulingGates[0]: Forbidden: only deletion is allowed, but found new scheduling gate 'b'",
      pod({ schedulingGates: [{ name: 'a' }] }),
    ],
    ['/pods', pod({ ephemeralContainers: [container({ name: 'e' })] }), '', pod()],
    ['/pods', unmappedDevice, 'spec.containers[0].volumeDevices: Forbidden: when `hostUsers` is false'],
    ['/pods', unmappedDevice, '', unmappedDevice],
    [
      '/pods',
      pod(),
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed\n',
      pod({ ephemeralContainers: [container({ name: 'e' })] }),
    ],
  ],
  services: [
    [
      '/services',
      service({ ports: [{ port: 99_999 }] }, 'BAD_NAME'),
      `[metadata.name: Invalid value: "BAD_NAME": ${label1035}, spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive]`,
    ],
    ['/services', service({ ports: [] }), 'spec.ports: Required value'],
    ['/services', service({ ports: [], clusterIP: 'None' }), ''],
    [
      '/services',
      service({ type: 'Magic' }),
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      '/services',
      service({ ports: [{ port: 1 }, { port: 2 }] }),
      '[spec.ports[0].name: Required value, spec.ports[1].name: Required value]',
    ],
    [
      '/services',
      service({ clusterIP: 'None', type: 'NodePort' }),
      `spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services`,
    ],
    [
      '/services',
      service({ clusterIP: '10.0.0.2' }),
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
      service({ clusterIP: '10.0.0.1' }),
    ],
    ['/services', service({ type: 'ExternalName', ports: [] }), 'spec.externalName: Required value'],
    [
      '/services',
      service({ externalIPs: ['127.0.0.1'] }),
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
  ],
  workloads: [
    [
      'apps/deployments',
      deployment({ template: template({ app: 'b' }) }),
      'spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`',
    ],
    [
      'apps/deployments',
      deployment({ selector: {} }),
      'spec.selector: Invalid value: {}: empty selector is invalid for deployment',
    ],
    [
      'apps/deployments',
      deployment({ replicas: -1 }),
      'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      'apps/deployments',
      deployment({ template: template({ app: 'a' }, { restartPolicy: 'Never' }) }),
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      'apps/deployments',
      deployment({ selector: { matchLabels: { app: 'b' } }, template: template({ app: 'b' }) }),
      'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
      deployment(),
    ],
    [
      'apps/deployments',
      deployment({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
    ],
    [
      'apps/statefulsets',
      { ...meta('s'), spec: { serviceName: 'b', selector: { matchLabels: { app: 'a' } }, template: template() } },
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      { ...meta('s'), spec: { serviceName: 'a', selector: { matchLabels: { app: 'a' } }, template: template() } },
    ],
    [
      'apps/statefulsets',
      {
        ...meta('s'),
        spec: {
          selector: { matchLabels: { app: 'a' } },
          template: template(
            { app: 'a' },
            { containers: [container({ volumeMounts: [{ name: 'd', mountPath: '/d' }] })] },
          ),
          volumeClaimTemplates: [
            {
              metadata: { name: 'd' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '8Mi' } } },
            },
          ],
        },
      },
      '',
    ],
    [
      'batch/jobs',
      { ...meta('j'), spec: { template: template() } },
      'spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"',
    ],
    [
      'batch/cronjobs',
      {
        ...meta('c'),
        spec: { schedule: '* * *', jobTemplate: { spec: { template: template({}, { restartPolicy: 'Never' }) } } },
      },
      'spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]',
    ],
    [
      'batch/cronjobs',
      {
        ...meta('c'),
        spec: {
          schedule: '*/5 0-23/2 1,15 jan-dec mon',
          timeZone: 'Europe/Nowhere',
          jobTemplate: { spec: { template: template({}, { restartPolicy: 'Never' }) } },
        },
      },
      'spec.timeZone: Invalid value: "Europe/Nowhere": unknown time zone Europe/Nowhere',
    ],
  ],
  'config and storage': [
    [
      '/configmaps',
      { ...meta('m'), data: { 'a/b': 'x' } },
      `data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
    ],
    [
      '/configmaps',
      { ...meta('m'), immutable: true, data: { a: '2' } },
      'data: Forbidden: field is immutable when `immutable` is set',
      { ...meta('m'), immutable: true, data: { a: '1' } },
    ],
    ['/secrets', { ...meta('s'), type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }, 'data[tls.key]: Required value'],
    [
      '/secrets',
      { ...meta('s'), type: 'b' },
      'type: Invalid value: "b": field is immutable',
      { ...meta('s'), type: 'a' },
    ],
    [
      '/persistentvolumeclaims',
      { ...meta('c'), spec: { resources: {} } },
      '[spec.accessModes: Required value: at least 1 access mode is required, spec.resources[storage]: Required value]',
    ],
    [
      '/persistentvolumeclaims',
      { ...meta('c'), spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } } },
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      {
        ...meta('c'),
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        status: { phase: 'Pending' },
      },
    ],
    [
      '/limitranges',
      { ...meta('l'), spec: { limits: [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }] } },
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
    ],
  ],
  others: [
    [
      'rbac.authorization.k8s.io/roles',
      { ...meta('r'), rules: [{ apiGroups: [''], resources: ['pods'] }] },
      'rules[0].verbs: Required value: verbs must contain at least one value',
    ],
    [
      'rbac.authorization.k8s.io/rolebindings',
      { ...meta('b'), roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'y' } },
      'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"y"}: cannot change roleRef',
      { ...meta('b'), roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' } },
    ],
    [
      'networking.k8s.io/ingresses',
      { ...meta('i'), spec: {} },
      'spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified',
    ],
    [
      'policy/poddisruptionbudgets',
      { ...meta('b'), spec: { minAvailable: '50' } },
      "spec.minAvailable: Invalid value: \"50\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ],
    [
      'autoscaling/horizontalpodautoscalers',
      { ...meta('h'), spec: { maxReplicas: 0, scaleTargetRef: { kind: 'Deployment', name: 'd' } } },
      '[spec.maxReplicas: Invalid value: 0: must be greater than 0, spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`]',
    ],
    [
      'networking.k8s.io/networkpolicies',
      { ...meta('n'), spec: { podSelector: {}, ingress: [{ from: [{}] }] } },
      'spec.ingress[0].from[0]: Required value: must specify a peer',
    ],
    [
      'scheduling.k8s.io/priorityclasses',
      { metadata: { name: 'p' }, value: 2_000_000_000 },
      'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
    ],
    [
      'apiextensions.k8s.io/customresourcedefinitions',
      {
        metadata: { name: 'w.example.com' },
        spec: {
          group: 'example.com',
          scope: 'Namespaced',
          names: { plural: 'widgets', kind: 'Widget' },
          versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: {} } }],
        },
      },
      'metadata.name: Invalid value: "w.example.com": must be spec.names.plural+"."+spec.group',
    ],
  ],
};

for (const [about, list] of Object.entries(cases))
  test(`validation: ${about}`, () => {
    for (const [resource, object, expected, old] of list) assert.equal(refusal(resource, object, old), expected);
  });

test('an update that changes nothing is never refused for what it does not change', () => {
  for (const [resource, object] of cases['good objects pass']!) assert.equal(refusal(resource, object, object), '');
  assert.ok(validators.size > 30);
});
