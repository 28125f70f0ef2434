import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom, type Arn } from '#base';
import { MemoryClient, MemoryInformers, resources } from '#kubernetes';
import { networkRecords } from '#network';
import { nodeRecords } from '#node';
import { runReconcilers } from '#reconcile';
import { memoryStore, type Store } from '#store';
import { createEc2 } from '../ec2/index.ts';
import { account, type Answer, caller, callRemembered, region, until } from '../test-calls.ts';
import { FakeMachine } from './fake-machine.ts';
import { createEks, type Eks } from './index.ts';
import { eksCollections } from './state.ts';

const roleArn = `arn:aws:iam::${account}:role/eks` as Arn;
const named = { clusterName: 'c1', nodegroupName: 'ng' };

/** A JSON Web Token as the cluster signs them. */
function signed(privateKeyPem: string, claims: object): string {
  const key = createPrivateKey(privateKeyPem);
  const isRsa = key.asymmetricKeyType === 'rsa';
  const text = [{ alg: isRsa ? 'RS256' : 'ES256' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(text), isRsa ? key : { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

describe('eks clusters and their nodes', { timeout: 30_000 }, () => {
  let store: Store;
  let eks: Eks;
  let ec2: ReturnType<typeof createEc2>;
  let client: MemoryClient;
  let stopped: string[];
  let issued: number;
  let subnets: string[];
  let stop: AbortController;
  let running: Promise<unknown>;

  const call = caller(() => eks.definition);
  const callEc2 = caller(() => ec2.definition);

  const clusterIs = async (status: string) =>
    await until(store, async () => {
      const { cluster } = await call('DescribeCluster', { name: 'c1' });
      return cluster.status === status && cluster;
    });
  const groupIs = async (status: string) =>
    await until(store, async () => {
      const { nodegroup } = await call('DescribeNodegroup', named);
      return nodegroup.status === status && nodegroup;
    });
  const nodes = async () => (await client.list(resources.nodes)).items;
  const living = async () =>
    (
      await callEc2('DescribeInstances', { Filters: [{ Name: 'instance-state-name', Values: ['pending', 'running'] }] })
    ).Reservations.flatMap(({ Instances }: Answer) => Instances);
  const createGroup = async (input: object = {}) => {
    await call('CreateNodegroup', {
      ...named,
      nodeRole: roleArn,
      subnets,
      scalingConfig: { minSize: 1, maxSize: 4, desiredSize: 2 },
      ...input,
    });
    return await groupIs('ACTIVE');
  };

  beforeEach(async () => {
    store = memoryStore();
    stop = new AbortController();
    const common = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
    ec2 = createEc2({ ...common, publicCidr: '198.18.0.0/16' });
    client = new MemoryClient();
    stopped = [];
    issued = 0;
    eks = createEks({
      ...common,
      network: ec2.network,
      instances: ec2.instances,
      launchTemplates: ec2.launchTemplates,
      guestIdentities: { find: async () => undefined },
      identities: {
        find: async () => undefined,
        hasExpired: () => false,
        describeRole: async () => undefined,
        issueRoleSession: async () => ({
          accessKeyId: String(++issued),
          secretAccessKey: '',
          sessionToken: '',
          expiresAt: Date.now() + 3_600_000,
          roleArn,
        }),
      },
      startCluster: async ({ id }) => ({
        client,
        informers: new MemoryInformers(client),
        stop: async () => void stopped.push(id),
      }),
      dialKubelet: async () => {
        throw new Error('not in this test');
      },
    });
    for (const zoneLetter of ['a', 'b', 'c']) {
      const id = `m-${zoneLetter}`;
      const node = { id, zoneLetter, cpuUnits: 4096, memoryMiB: 8192, machineId: 'm', startedAt: 0 };
      await nodeRecords(store).nodes.create(id, node);
    }
    await ec2.network.ensureDefaultVpc({ account, region });
    subnets = (await networkRecords(store).subnets.list()).map(({ value }) => value.id);
    const { signal } = stop;
    running = Promise.all([
      runReconcilers({ ...common, reconcilers: [...ec2.reconcilers, ...eks.reconcilers], signal }),
      new FakeMachine(store, () => client, signal).run(),
    ]);
    await call('CreateCluster', { name: 'c1', roleArn, resourcesVpcConfig: { subnetIds: subnets } });
    await clusterIs('ACTIVE');
  });

  afterEach(async () => {
    stop.abort();
    await running;
  });

  test('a cluster comes up with keys of its own and leaves nothing behind', async () => {
    const { endpoint } = await clusterIs('ACTIVE');
    assert.match(endpoint, /^https:\/\/127\.0\.0\.1:6\d{4}$/);
    await call('DeleteCluster', { name: 'c1' });
    await until(store, async () => !(await call('ListClusters')).clusters.length);
    assert.equal(stopped.length, 1);
    const left = (await store.list('')).entries.map(({ key }) => key).filter((key) => /^(eks|kubernetes)\//.test(key));
    assert.deepEqual(left, []);
    assert.deepEqual(
      (await eksCollections(store).endedClusters.list()).map(({ id }) => id),
      stopped,
    );
    const groups = (await networkRecords(store).securityGroups.list()).map(({ value }) => value.name);
    assert.deepEqual(groups, ['default']);
  });

  test('a node group becomes nodes, spread over zones, that know where they are', async () => {
    const group = await createGroup({ labels: { tier: 'web' } });
    assert.match(group.resources.autoScalingGroups[0].name, /^eks-ng-/);
    const made = await nodes();
    assert.equal(made.length, 2);
    const labels = made.map(({ metadata }) => metadata!.labels!);
    assert.equal(new Set(labels.map((each) => each['topology.kubernetes.io/zone'])).size, 2);
    assert.equal(labels[0]!['eks.amazonaws.com/nodegroup'], 'ng');
    assert.equal(labels[0]!['node.kubernetes.io/instance-type'], 't3.medium');
    assert.equal(labels[0]!['tier'], 'web');
    assert.match(made[0]!.metadata!.name!, /^ip-172-31-\d+-\d+\.ec2\.internal$/);
    assert.equal((await living()).length, 2);
  });

  test('a group grows, shrinks with its pods moved away first, and replaces what was lost', async () => {
    await createGroup();
    await call('UpdateNodegroupConfig', { ...named, scalingConfig: { desiredSize: 3 } });
    await groupIs('ACTIVE');
    assert.equal((await nodes()).length, 3);
    const [lost] = await living();
    await callEc2('TerminateInstances', { InstanceIds: [lost.InstanceId] });
    await until(store, async () => {
      const now = await living();
      return now.length === 3 && !now.some(({ InstanceId }: Answer) => InstanceId === lost.InstanceId);
    });
    await until(store, async () => !(await nodes()).some(({ metadata }) => metadata!.name === lost.PrivateDnsName));
    await call('UpdateNodegroupConfig', { ...named, scalingConfig: { desiredSize: 1 } });
    await groupIs('ACTIVE');
    assert.equal((await nodes()).length, 1);
    assert.equal((await living()).length, 1);
  });

  test('labels of a group reach nodes that exist; a new version replaces them', async () => {
    await createGroup({ version: '1.33', scalingConfig: { minSize: 1, maxSize: 1, desiredSize: 1 } });
    await call('UpdateNodegroupConfig', { ...named, labels: { addOrUpdateLabels: { tier: 'db' } } });
    await groupIs('ACTIVE');
    const [before] = await nodes();
    assert.equal(before!.metadata!.labels!['tier'], 'db');
    const { update } = await call('UpdateNodegroupVersion', named);
    await groupIs('ACTIVE');
    const [after, ...more] = await nodes();
    assert.deepEqual(more, []);
    assert.notEqual(after!.metadata!.name, before!.metadata!.name);
    const followed = await call('DescribeUpdate', { name: 'c1', nodegroupName: 'ng', updateId: update.id });
    assert.equal(followed.update.status, 'Successful');
  });

  test('nodes are as a launch template says; a new version of it replaces them', async () => {
    const [group] = await networkRecords(store).securityGroups.list();
    const template = { LaunchTemplateName: 'nodes' };
    await callEc2('CreateLaunchTemplate', {
      ...template,
      LaunchTemplateData: {
        InstanceType: 't3.large',
        SecurityGroupIds: [group!.value.id],
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'team', Value: 'a' }] }],
        MetadataOptions: { HttpPutResponseHopLimit: 2 },
      },
    });
    const launchTemplate = { name: 'nodes' };
    const create = (input: object) => call('CreateNodegroup', { ...named, nodeRole: roleArn, subnets, ...input });
    await assert.rejects(create({ launchTemplate, diskSize: 20 }), /Disk size must be specified within/);
    await assert.rejects(create({ launchTemplate, instanceTypes: ['t3.small'] }), /instance types in both/);
    await assert.rejects(create({ launchTemplate: { name: 'none' } }), /template name none, does not exist/);
    const made = await createGroup({ launchTemplate, scalingConfig: { minSize: 1, maxSize: 2, desiredSize: 1 } });
    assert.deepEqual([made.launchTemplate.version, made.instanceTypes, made.diskSize], ['1', undefined, undefined]);
    const [first] = await living();
    assert.equal(first.InstanceType, 't3.large');
    assert.deepEqual(first.SecurityGroups[0].GroupId, group!.value.id);
    assert.equal(first.MetadataOptions.HttpPutResponseHopLimit, 2);
    assert.ok(first.Tags.some(({ Key, Value }: Answer) => Key === 'team' && Value === 'a'));
    const userData = { UserData: Buffer.from('echo').toString('base64') };
    await callEc2('CreateLaunchTemplateVersion', { ...template, SourceVersion: '1', LaunchTemplateData: userData });
    const update = (version: string) =>
      call('UpdateNodegroupVersion', { ...named, launchTemplate: { ...launchTemplate, version } });
    await assert.rejects(update('$Latest'), /UserData of the launch template nodes/);
    const smaller = { InstanceType: 't3.medium' };
    await callEc2('CreateLaunchTemplateVersion', { ...template, SourceVersion: '1', LaunchTemplateData: smaller });
    await update('3');
    assert.equal((await groupIs('ACTIVE')).launchTemplate.version, '3');
    const [second, ...more] = await living();
    assert.deepEqual([second.InstanceType, more.length], ['t3.medium', 0]);
    assert.notEqual(second.InstanceId, first.InstanceId);
    for (const lacking of [{ SecurityGroups: ['default'] }, { InstanceRequirements: { VCpuCount: { Min: 1 } } }]) {
      await callEc2('CreateLaunchTemplateVersion', { ...template, SourceVersion: '1', LaunchTemplateData: lacking });
      await assert.rejects(update('$Latest'), new RegExp(`${Object.keys(lacking)[0]} of the launch template nodes`));
    }
  });

  test('a pod keeps its address as long as it lives, and a node that goes gives all of them back', async () => {
    await createGroup();
    const [kubelet] = await eksCollections(store).kubelets.list();
    const { machineId, nodeId } = { machineId: 'm', nodeId: kubelet!.value.id };
    const pod = { machineId, nodeId, namespace: 'default', name: 'p', uid: 'u-1', serviceAccount: 'default' };
    const first = await eks.assignPodAddress(pod);
    assert.deepEqual(first.cluster, { id: kubelet!.value.cluster.id, node: kubelet!.value.nodeName });
    assert.equal((await eks.assignPodAddress(pod)).id, first.id);
    await eks.assignPodAddress({ ...pod, uid: 'u-2' });
    const release = { nodeId, uid: 'u-1', tenant: account, region };
    await eks.releasePodAddress(release);
    await eks.releasePodAddress(release);
    await call('DeleteNodegroup', named);
    await until(store, async () => (await eksCollections(store).kubelets.list()).length === 0);
    await eks.releasePodAddress({ ...release, uid: 'u-2' });
    await until(store, async () => !(await call('ListNodegroups', { clusterName: 'c1' })).nodegroups.length);
    assert.deepEqual(await networkRecords(store).networkInterfaces.list(), []);
    await assert.rejects(eks.assignPodAddress(pod), /no node/);
  });

  test('a pod has the role that is associated with its service account, by its own token alone', async () => {
    await createGroup();
    const [kubelet] = await eksCollections(store).kubelets.list();
    const pod = {
      machineId: 'm',
      nodeId: kubelet!.value.id,
      namespace: 'a',
      name: 'p',
      uid: 'u',
      serviceAccount: 'sa',
    };
    const eni = await eks.assignPodAddress(pod);
    const { cluster } = await call('DescribeCluster', { name: 'c1' });
    const [keys] = await eksCollections(store).clusterKeys.list();
    const token = (subject: string, audience = 'pods.eks.amazonaws.com') =>
      signed(keys!.value.serviceAccountKey.privateKeyPem, {
        iss: cluster.identity.oidc.issuer,
        sub: `system:serviceaccount:a:${subject}`,
        aud: [audience],
        exp: Math.floor(Date.now() / 1000) + 60,
      });
    const ask = async (text: string, address = eni.privateIp) =>
      await eks.podCredentials({ vpcId: eni.vpcId, address, token: text });
    await assert.rejects(ask(token('sa')), /no pod identity association/);
    await call('CreatePodIdentityAssociation', { clusterName: 'c1', namespace: 'a', serviceAccount: 'sa', roleArn });
    const { associations } = await call('ListPodIdentityAssociations', { clusterName: 'c1' });
    assert.equal((await ask(token('sa'))).roleArn, roleArn);
    const before = issued;
    await ask(token('sa'));
    assert.equal(issued, before);
    await assert.rejects(ask(token('other')), /not the one of this pod/);
    await assert.rejects(ask(token('sa', 'sts.amazonaws.com')), /not the one of this pod/);
    await assert.rejects(ask(`${token('sa')}x`), /signature/);
    await assert.rejects(ask(token('sa'), '172.31.255.1'), /no pod has the address/);
    const { associationId } = associations[0];
    await call('UpdatePodIdentityAssociation', { clusterName: 'c1', associationId, disableSessionTags: true });
    await ask(token('sa'));
    assert.equal(issued, before + 1);
    await call('DeletePodIdentityAssociation', { clusterName: 'c1', associationId });
    await assert.rejects(ask(token('sa')), /no pod identity association/);
  });

  test('a pod on the network of its node has its role too, as long as it is there', async () => {
    await createGroup();
    const [kubelet] = await eksCollections(store).kubelets.list();
    const { nodeName, networkInterfaceId } = kubelet!.value;
    const eni = (await ec2.network.findInterface({ account, region }, networkInterfaceId))!;
    await call('CreatePodIdentityAssociation', { clusterName: 'c1', namespace: 'a', serviceAccount: 'sa', roleArn });
    const make = async (name: string, hostNetwork: boolean, on: string) =>
      await client.create(resources.pods, {
        metadata: { namespace: 'a', name },
        spec: { nodeName: on, hostNetwork, serviceAccountName: 'sa', containers: [{ name: 'c', image: 'i' }] },
      });
    const { cluster } = await call('DescribeCluster', { name: 'c1' });
    const [keys] = await eksCollections(store).clusterKeys.list();
    const ask = async (pod: { readonly name?: string; readonly uid?: string } | undefined) => {
      const claims = {
        iss: cluster.identity.oidc.issuer,
        sub: 'system:serviceaccount:a:sa',
        aud: ['pods.eks.amazonaws.com'],
        exp: Math.floor(Date.now() / 1000) + 60,
        'kubernetes.io': { namespace: 'a', ...(pod && { pod: { name: pod.name, uid: pod.uid } }) },
      };
      const token = signed(keys!.value.serviceAccountKey.privateKeyPem, claims);
      return await eks.podCredentials({ vpcId: eni.vpcId, address: eni.privateIp, token });
    };
    const onHost = (await make('on-host', true, nodeName)).metadata;
    assert.equal((await ask(onHost)).roleArn, roleArn);
    await assert.rejects(ask({ ...onHost, uid: 'another' }), /not the one of this pod/);
    await assert.rejects(ask(undefined), /not the one of this pod/);
    await assert.rejects(ask((await make('beside', false, nodeName)).metadata), /not the one of this pod/);
    await assert.rejects(ask((await make('elsewhere', true, 'other')).metadata), /not the one of this pod/);
    await client.delete(resources.pods, { namespace: 'a', name: 'on-host' }, { gracePeriodSeconds: 0 });
    await assert.rejects(ask(onHost), /not the one of this pod/);
  });

  test('a pod of a Fargate profile gets a node of its own, which goes with it', async () => {
    const selectors = [{ namespace: 'a' }];
    const profile = { clusterName: 'c1', fargateProfileName: 'fp' };
    const create = { ...profile, podExecutionRoleArn: roleArn, subnets, selectors };
    await assert.rejects(call('CreateFargateProfile', create), /is not a private subnet/);
    const { routeTables } = networkRecords(store);
    for (const { id } of await routeTables.list())
      await routeTables.update(id, (table) => ({
        ...table,
        routes: table.routes.filter(({ target }) => target.kind === 'local'),
      }));
    const asked = { operation: 'CreateFargateProfile', input: create, prefix: 'eks/' };
    await callRemembered(store, () => eks.definition, asked);
    const pod = { namespace: 'a', name: 'p' };
    const labels = { 'eks.amazonaws.com/fargate-profile': 'fp' };
    const spec = { schedulerName: 'fargate-scheduler', containers: [{ name: 'c', image: 'i' }] };
    const { resourceVersion } = await client.list(resources.pods);
    const larger = { ...spec, containers: [{ name: 'c', image: 'i', resources: { requests: { memory: '60Gi' } } }] };
    await client.create(resources.pods, {
      metadata: { ...pod, name: 'larger-than-the-machine', labels },
      spec: larger,
    });
    await client.create(resources.pods, { metadata: { ...pod, labels }, spec });
    let nodeName: string | undefined;
    for await (const { object } of client.watch(resources.pods, {
      resourceVersion,
      signal: AbortSignal.timeout(8000),
    })) {
      nodeName = object.spec?.nodeName;
      if (nodeName) break;
    }
    assert.equal((await eksCollections(store).kubelets.list()).length, 1);
    const { items: told } = await client.list(resources.events);
    const [refusal] = told.filter(({ involvedObject }) => involvedObject.name === 'larger-than-the-machine');
    assert.equal(refusal?.reason, 'FailedScheduling');
    assert.match(
      refusal?.message ?? '',
      /^Pod provisioning failed \(will retry\) for pod: a\/larger-than-the-machine: .*capacity/,
    );
    assert.match(nodeName ?? '', /^fargate-ip-172-31-/);
    assert.equal((await nodes())[0]!.metadata!.labels!['eks.amazonaws.com/compute-type'], 'fargate');
    assert.deepEqual(await living(), [], 'it is no instance');
    const { metadata } = await client.get(resources.pods, pod);
    assert.equal(metadata?.annotations?.['CapacityProvisioned'], '0.25vCPU 0.5GB');
    await call('DeleteFargateProfile', profile);
    for (const name of [pod.name, 'larger-than-the-machine'])
      await client.delete(resources.pods, { ...pod, name }, { gracePeriodSeconds: 0 }).catch(() => undefined);
    await until(
      store,
      async () => !(await call('ListFargateProfiles', { clusterName: 'c1' })).fargateProfileNames.length,
    );
    assert.deepEqual(await nodes(), []);
    assert.deepEqual(await networkRecords(store).networkInterfaces.list(), []);
  });

  test('a group that cannot have its instances says why', async () => {
    await call('CreateNodegroup', { ...named, nodeRole: roleArn, subnets, instanceTypes: ['m5.4xlarge'] });
    const { health } = await groupIs('CREATE_FAILED');
    assert.equal(health.issues[0].code, 'AsgInstanceLaunchFailures');
  });
});
