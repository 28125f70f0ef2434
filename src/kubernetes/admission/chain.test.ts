import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock, systemRandom } from '#base';
import type { AdmissionRequest, UserInfo } from '../auth/user.ts';
import { MemoryClient } from '../client/memory-client.ts';
import { MemoryInformers } from '../client/memory-informers.ts';
import type { KubernetesObject, ResourceType } from '../object.ts';
import {
  configMaps,
  ingressClasses,
  ingresses,
  limitRanges,
  namespaces,
  nodes,
  persistentVolumeClaims,
  pods,
  priorityClasses,
  runtimeClasses,
  serviceAccounts,
  storageClasses,
} from '../resources.ts';
import { loadSchemas } from '../schema/load.ts';
import { StatusError } from '../status.ts';
import type { Ingress, Node, PersistentVolumeClaim, Pod } from '../types.ts';
import { valuesOf } from '../validation/fakes/values.ts';
import { admissionChain } from './chain.ts';

const root: UserInfo = { username: 'root', groups: ['system:masters', 'system:authenticated'] };

async function setUp() {
  const client = new MemoryClient();
  for (const name of ['default', 'kube-system']) await client.create(namespaces, { metadata: { name } });
  await client.create(serviceAccounts, { metadata: { name: 'default', namespace: 'default' } });
  const chain = admissionChain({
    client,
    informers: new MemoryInformers(client),
    authorizer: { authorize: async () => ({ isAllowed: false, reason: '' }) },
    clock: systemClock,
    random: systemRandom,
    first: [],
    external: [],
    dialService: () => Promise.reject(new Error('there are no services')),
    resources: () => ({ all: () => [], ofKind: () => undefined, onChange: () => () => {} }),
  });
  /** Runs the chain as the API server does. */
  async function admit<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    { mutateOnly = false, ...more }: Partial<AdmissionRequest> & { readonly mutateOnly?: boolean } = {},
  ): Promise<T> {
    let request: AdmissionRequest = {
      operation: 'CREATE',
      type,
      namespace: type.isNamespaced ? 'default' : undefined,
      name: object.metadata?.name ?? '',
      object,
      oldObject: undefined,
      user: root,
      isDryRun: false,
      ...more,
    } as AdmissionRequest;
    for (const plugin of chain) {
      const next = await plugin.mutate?.(request);
      if (next) request = { ...request, object: next };
    }
    if (!mutateOnly) for (const plugin of chain) await plugin.validate?.(request);
    return request.object as T;
  }
  return { client, admit };
}

function podWith(spec: Partial<Pod['spec']> = {}, name = 'p'): Pod {
  return {
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  };
}

test('a pod gets its service account, its token and its tolerations', async () => {
  const { client, admit } = await setUp();
  const pod = await admit(pods, podWith({ initContainers: [{ name: 'i', image: 'i' }] }));
  assert.equal(pod.spec!.serviceAccountName, 'default');
  const volume = pod.spec!.volumes![0]!;
  assert.match(volume.name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(
    volume.projected!.sources!.map((source) => Object.keys(source)[0]),
    ['serviceAccountToken', 'configMap', 'downwardAPI'],
  );
  const mount = { name: volume.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };
  assert.deepEqual(pod.spec!.containers[0]!.volumeMounts, [mount]);
  assert.deepEqual(pod.spec!.initContainers![0]!.volumeMounts, [mount]);
  assert.deepEqual(pod.spec!.tolerations, [
    { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
  ]);
  assert.equal(pod.spec!.priority, 0);
  assert.deepEqual(await admit(pods, pod), pod, 'a second pass changes nothing');

  await client.create(serviceAccounts, {
    metadata: { name: 'quiet', namespace: 'default' },
    automountServiceAccountToken: false,
    imagePullSecrets: [{ name: 'registry' }],
  });
  const quiet = await admit(pods, podWith({ serviceAccountName: 'quiet' }));
  assert.equal(quiet.spec!.volumes, undefined);
  assert.deepEqual(quiet.spec!.imagePullSecrets, [{ name: 'registry' }]);
  const asks = await admit(pods, podWith({ serviceAccountName: 'quiet', automountServiceAccountToken: true }));
  assert.equal(asks.spec!.volumes!.length, 1);
  await assert.rejects(admit(pods, podWith({ serviceAccountName: 'absent' })), {
    code: 403,
    message:
      'pods "p" is forbidden: error looking up service account default/absent: serviceaccount "absent" not found',
  });
});

test('a pod waits for the account its new namespace is about to get', async () => {
  const { client, admit } = await setUp();
  await client.create(namespaces, { metadata: { name: 'new' } });
  const admitted = admit(pods, podWith(), { namespace: 'new' });
  setImmediate(() => void client.create(serviceAccounts, { metadata: { name: 'default', namespace: 'new' } }));
  assert.equal((await admitted).spec!.serviceAccountName, 'default');
});

test('nothing is made in a namespace that is absent or ending', async () => {
  const { client, admit } = await setUp();
  const map = { metadata: { name: 'm', namespace: 'x' } };
  await assert.rejects(admit(configMaps, map, { namespace: 'x' }), { message: 'namespaces "x" not found', code: 404 });
  await client.create(namespaces, { metadata: { name: 'x', finalizers: ['f'] } });
  await client.delete(namespaces, { name: 'x' });
  await assert.rejects(admit(configMaps, map, { namespace: 'x' }), (error: { message: string; details: object }) => {
    assert.equal(
      error.message,
      'configmaps "m" is forbidden: unable to create new content in namespace x because it is being terminated',
    );
    assert.match(JSON.stringify(error.details), /NamespaceTerminating/);
    return true;
  });
  await admit(configMaps, map, { namespace: 'x', operation: 'UPDATE', oldObject: map });
  const namespace = { metadata: { name: 'kube-system' } };
  await assert.rejects(admit(namespaces, namespace, { operation: 'DELETE' }), {
    message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
  });
});

test('priority comes from the class', async () => {
  const { client, admit } = await setUp();
  await client.create(priorityClasses, { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' });
  const { spec } = await admit(pods, podWith({ priorityClassName: 'high' }));
  assert.deepEqual([spec!.priority, spec!.preemptionPolicy], [1000, 'Never']);
  await assert.rejects(admit(pods, podWith({ priorityClassName: 'none' })), {
    message: 'pods "p" is forbidden: no PriorityClass with name none was found',
  });
  await assert.rejects(
    admit(pods, podWith({ priority: 7 })),
    /the integer value of priority \(7\) must not be provided/,
  );
  await client.create(priorityClasses, { metadata: { name: 'usual' }, value: 5, globalDefault: true });
  assert.equal((await admit(pods, podWith())).spec!.priorityClassName, 'usual');
  await assert.rejects(admit(priorityClasses, { metadata: { name: 'other' }, value: 6, globalDefault: true }), {
    message:
      'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
  });
});

test('limit ranges give defaults and set bounds', async () => {
  const { client, admit } = await setUp();
  await client.create(limitRanges, {
    metadata: { name: 'l', namespace: 'default' },
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m' },
          defaultRequest: { cpu: '100m', memory: '64Mi' },
          max: { cpu: '1' },
          min: { memory: '32Mi' },
          maxLimitRequestRatio: { cpu: '8' },
        },
        { type: 'Pod', max: { cpu: '1500m' } },
        { type: 'PersistentVolumeClaim', max: { storage: '1Gi' } },
      ],
    },
  });
  const pod = await admit(pods, podWith());
  assert.deepEqual(pod.spec!.containers[0]!.resources, {
    limits: { cpu: '500m' },
    requests: { cpu: '100m', memory: '64Mi' },
  });
  assert.equal(
    pod.metadata!.annotations!['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c',
  );
  const asking = (requests: object, limits: object) =>
    admit(pods, podWith({ containers: [{ name: 'c', image: 'i', resources: { requests, limits } as never }] }));
  await assert.rejects(asking({ memory: '16Mi' }, { cpu: '2' }), {
    message:
      'pods "p" is forbidden: [minimum memory usage per Container is 32Mi, but request is 16Mi, maximum cpu usage per Container is 1, but limit is 2, cpu max limit to request ratio per Container is 8, but provided ratio is 20.000000, maximum cpu usage per Pod is 1500m, but limit is 2]',
  });
  const claim = {
    metadata: { name: 'c', namespace: 'default' },
    spec: { resources: { requests: { storage: '2Gi' } } },
  };
  await assert.rejects(admit(persistentVolumeClaims, claim), {
    message:
      'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi',
  });
});

test('claims and ingresses get the default class, and claims a finalizer', async () => {
  const { client, admit } = await setUp();
  const marked = (name: string, annotation: string) => ({ metadata: { name, annotations: { [annotation]: 'true' } } });
  const storage = marked('gp3', 'storageclass.kubernetes.io/is-default-class');
  await client.create(storageClasses, { ...storage, provisioner: 'p' });
  await client.create(ingressClasses, marked('alb', 'ingressclass.kubernetes.io/is-default-class'));
  const claim: PersistentVolumeClaim = { metadata: { name: 'c', namespace: 'default' }, spec: {} };
  const admitted = await admit(persistentVolumeClaims, claim);
  assert.equal(admitted.spec!.storageClassName, 'gp3');
  assert.deepEqual(admitted.metadata!.finalizers, ['kubernetes.io/pvc-protection']);
  const none = await admit(persistentVolumeClaims, { ...claim, spec: { storageClassName: '' } });
  assert.equal(none.spec!.storageClassName, '');
  const ingress: Ingress = { metadata: { name: 'i', namespace: 'default' }, spec: {} };
  assert.equal((await admit(ingresses, ingress)).spec!.ingressClassName, 'alb');
});

test('a claim grows only when it is bound, of a class that lets it', async () => {
  const { client, admit } = await setUp();
  await client.create(storageClasses, { metadata: { name: 'gp3' }, provisioner: 'p', allowVolumeExpansion: true });
  await client.create(storageClasses, { metadata: { name: 'fixed' }, provisioner: 'p' });
  const claim = (storage: string, storageClassName = 'gp3', phase = 'Bound'): PersistentVolumeClaim => ({
    metadata: { name: 'c', namespace: 'default' },
    spec: { storageClassName, resources: { requests: { storage } } },
    status: { phase },
  });
  const resize = (...more: [string?, string?]) =>
    admit(persistentVolumeClaims, claim('2Gi', ...more), { operation: 'UPDATE', oldObject: claim('1Gi', ...more) });
  await resize();
  await assert.rejects(resize('fixed'), /the storageclass that provisions the pvc must support resize/);
  await assert.rejects(resize('gp3', 'Pending'), /Only bound persistent volume claims can be expanded/);
});

test('a runtime class brings its overhead and its places', async () => {
  const { client, admit } = await setUp();
  await client.create(runtimeClasses, {
    metadata: { name: 'vm' },
    handler: 'kata',
    overhead: { podFixed: { memory: '100Mi' } },
    scheduling: { nodeSelector: { vm: 'yes' } },
  });
  const { spec } = await admit(pods, podWith({ runtimeClassName: 'vm' }));
  assert.deepEqual([spec!.overhead, spec!.nodeSelector], [{ memory: '100Mi' }, { vm: 'yes' }]);
  await assert.rejects(admit(pods, podWith({ runtimeClassName: 'none' })), {
    message: 'pods "p" is forbidden: pod rejected: RuntimeClass "none" not found',
  });
});

test('a kubelet changes its own node and its own pods', async () => {
  const { client, admit } = await setUp();
  const user: UserInfo = { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };
  const node: Node = {
    metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1', 'eks.amazonaws.com/x': 'y' } },
  };
  const admitted = await admit(nodes, node, { user });
  assert.deepEqual(admitted.spec!.taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }]);
  await assert.rejects(admit(nodes, { metadata: { name: 'n2' } }, { user }), {
    message: 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
  });
  const labels = { 'node-restriction.kubernetes.io/team': 'a', 'foo.k8s.io/b': 'c' };
  await assert.rejects(admit(nodes, { metadata: { name: 'n1', labels } }, { user }), {
    message:
      'nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: foo.k8s.io/b, node-restriction.kubernetes.io/team',
  });
  const update = { user, operation: 'UPDATE' as const, oldObject: admitted };
  await admit(nodes, admitted, update);
  await assert.rejects(admit(nodes, { ...admitted, spec: { taints: [] } }, update), /not allowed to modify taints/);
  await assert.rejects(admit(pods, podWith(), { user }), /node "n1" can only create mirror pods/);
  const foreign = await client.create(pods, podWith({ nodeName: 'n2' }));
  const status = { user, operation: 'UPDATE' as const, subresource: 'status', oldObject: foreign };
  await assert.rejects(admit(pods, foreign, status), {
    message: 'pods "p" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
  });
  await assert.rejects(admit(pods, foreign, { user, operation: 'DELETE' }), /can only delete pods/);
  const token = (boundObjectRef?: object) =>
    admit(serviceAccounts, { spec: { boundObjectRef } } as never, { user, subresource: 'token' });
  await assert.rejects(token(), /node requested token not bound to a pod/);
  await assert.rejects(token({ kind: 'Pod', name: 'p', uid: foreign.metadata!.uid }), /scheduled on a different node/);
});

test('whatever is missing of an object, mutating it never fails by accident', async () => {
  const { admit } = await setUp();
  const schemas = await loadSchemas();
  for (const type of [pods, nodes, persistentVolumeClaims, ingresses, priorityClasses, configMaps] as ResourceType[]) {
    const objects = valuesOf(schemas.of(type)!, 6) as fc.Arbitrary<KubernetesObject>;
    const property = fc.asyncProperty(objects, async (object) => {
      await admit(type, object, { mutateOnly: true }).catch((error: unknown) =>
        assert.ok(error instanceof StatusError, `${error}`),
      );
    });
    await fc.assert(property, { numRuns: 15 });
  }
});
