import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom, type Arn } from '#base';
import { networkRecords } from '#network';
import { memoryStore, type Store } from '#store';
import { createEc2 } from '../ec2/index.ts';
import { AwsError } from '../errors.ts';
import { account, callContext, caller, callRemembered, refused, region } from '../test-calls.ts';
import { createEks, type Eks } from './index.ts';
import { eksCollections } from './state.ts';

const roleArn = `arn:aws:iam::${account}:role/eks`;
const admin = `arn:aws:iam::${account}:user/admin`;

describe('eks', () => {
  let store: Store;
  let eks: Eks;
  let subnets: string[];

  const context = () =>
    callContext({
      principal: {
        kind: 'user',
        account,
        arn: admin as Arn,
        principalId: 'AIDA1',
        accessKeyId: 'AKIA1',
        userName: 'admin',
      },
      async authorize(action, resource) {
        if (resource.endsWith('/forbidden'))
          throw new AwsError('AccessDeniedException', `not authorized to perform: ${action}`);
      },
    });
  const call = caller(() => eks.definition, context);
  const create = async (input: object = {}) =>
    await call('CreateCluster', {
      name: 'c1',
      roleArn,
      resourcesVpcConfig: { subnetIds: subnets },
      ...input,
    });
  /** What the reconciler does when the API server has come up. */
  const bringUp = async (name = 'c1') =>
    await eksCollections(store).clusters.update(`${account}/${region}/${name}`, (record) => ({
      ...record,
      status: 'ACTIVE',
      port: 61_000,
      certificateAuthorityPem: 'PEM',
    }));
  const createNodegroup = async (input: object = {}) =>
    await call('CreateNodegroup', { clusterName: 'c1', nodegroupName: 'ng', nodeRole: roleArn, subnets, ...input });

  beforeEach(async () => {
    store = memoryStore();
    const common = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
    const ec2 = createEc2({ ...common, publicCidr: '198.18.0.0/16' });
    eks = createEks({
      ...common,
      network: ec2.network,
      instances: ec2.instances,
      launchTemplates: ec2.launchTemplates,
      startCluster: async () => await Promise.reject(new Error('not in this test')),
      dialKubelet: async () => await Promise.reject(new Error('not in this test')),
      guestIdentities: { find: async () => undefined },
      identities: {
        find: async () => undefined,
        hasExpired: () => false,
        describeRole: async () => undefined,
        async issueRoleSession({ roleArn }) {
          if (roleArn.endsWith('/untrusting')) throw new AwsError('AccessDenied', 'no trust');
          return { accessKeyId: '', secretAccessKey: '', sessionToken: '', expiresAt: 0, roleArn: roleArn as Arn };
        },
      },
    });
    await ec2.network.ensureDefaultVpc({ account, region });
    subnets = (await networkRecords(store).subnets.list()).map(({ value }) => value.id);
  });

  test('the logs that are wanted are shown, and others are not', async () => {
    const logging = { clusterLogging: [{ types: ['audit', 'api'], enabled: true }] };
    const { cluster } = await create({ logging });
    assert.deepEqual(cluster.logging.clusterLogging, [
      { types: ['api', 'audit'], enabled: true },
      { types: ['authenticator', 'controllerManager', 'scheduler'], enabled: false },
    ]);
    const unknown = { clusterLogging: [{ types: ['kubelet'], enabled: true }] };
    await assert.rejects(create({ name: 'other', logging: unknown }), /Invalid log type kubelet/);
  });

  test('a cluster shows what it was asked for, and its endpoint once it is up', async () => {
    const { cluster } = await create({ tags: { team: 'a' } });
    assert.equal(cluster.status, 'CREATING');
    assert.equal(cluster.endpoint, undefined);
    assert.equal(cluster.kubernetesNetworkConfig.serviceIpv4Cidr, '10.100.0.0/16');
    assert.match(cluster.resourcesVpcConfig.clusterSecurityGroupId, /^sg-/);
    await bringUp();
    const up = (await call('DescribeCluster', { name: 'c1' })).cluster;
    assert.equal(up.endpoint, 'https://127.0.0.1:61000');
    assert.match(up.identity.oidc.issuer, /^https:\/\/oidc\.eks\.us-east-1\.amazonaws\.com\/id\/[0-9A-F]{32}$/);
    assert.equal(Buffer.from(up.certificateAuthority.data, 'base64').toString(), 'PEM');
    assert.deepEqual((await call('ListClusters')).clusters, ['c1']);
  });

  test('a cluster is refused as EKS refuses it', async () => {
    await create();
    await assert.rejects(create(), refused('ResourceInUseException', 'Cluster already exists with name: c1'));
    await assert.rejects(create({ name: '-x' }), refused('InvalidParameterException'));
    await assert.rejects(
      create({ name: 'c2', resourcesVpcConfig: { subnetIds: subnets.slice(0, 1) } }),
      refused('InvalidParameterException', 'at least two different AZs'),
    );
    await assert.rejects(
      create({ name: 'c2', resourcesVpcConfig: { subnetIds: ['subnet-0', 'subnet-1'] } }),
      refused('InvalidParameterException', 'InvalidSubnetID.NotFound'),
    );
    await assert.rejects(
      create({ name: 'c2', roleArn: `${roleArn}/untrusting` }),
      refused('InvalidParameterException', 'could not be assumed'),
    );
    await assert.rejects(create({ name: 'c2', roleArn: `${roleArn}/forbidden` }), refused('AccessDeniedException'));
    await assert.rejects(create({ name: 'c2', version: '1.20' }), refused('InvalidParameterException', '1.20'));
    await assert.rejects(
      create({ name: 'c2', kubernetesNetworkConfig: { serviceIpv4Cidr: '172.31.0.0/16' } }),
      refused('InvalidParameterException', '172.31.0.0/16'),
    );
    await assert.rejects(
      create({ name: 'c2', encryptionConfig: [{ resources: ['secrets'] }] }),
      refused('UnsupportedOperation'),
    );
    await assert.rejects(call('DescribeCluster', { name: 'no' }), refused('ResourceNotFoundException', 'no.'));
  });

  test('its creator is its administrator by an access entry, unless that was not wanted', async () => {
    await create();
    assert.deepEqual((await call('ListAccessEntries', { clusterName: 'c1' })).accessEntries, [admin]);
    const named = { clusterName: 'c1', principalArn: admin };
    const { associatedAccessPolicies } = await call('ListAssociatedAccessPolicies', named);
    assert.match(associatedAccessPolicies[0].policyArn, /AmazonEKSClusterAdminPolicy$/);
    await create({ name: 'c2', accessConfig: { bootstrapClusterCreatorAdminPermissions: false } });
    assert.deepEqual((await call('ListAccessEntries', { clusterName: 'c2' })).accessEntries, []);
  });

  test('access entries take policies in a scope, and refuse names that are reserved', async () => {
    await create();
    await bringUp();
    const principalArn = `arn:aws:iam::${account}:role/path/dev`;
    const named = { clusterName: 'c1', principalArn };
    await assert.rejects(
      call('CreateAccessEntry', { ...named, kubernetesGroups: ['system:masters'] }),
      refused('InvalidParameterException', 'system:masters'),
    );
    const { accessEntry } = await call('CreateAccessEntry', { ...named, kubernetesGroups: ['devs'] });
    assert.equal(accessEntry.username, `arn:aws:sts::${account}:assumed-role/dev/{{SessionName}}`);
    assert.match(accessEntry.accessEntryArn, /access-entry\/c1\/role\/000000000000\/dev\//);
    await assert.rejects(call('CreateAccessEntry', named), refused('ResourceInUseException'));
    const view = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy';
    const scope = { type: 'namespace', namespaces: ['a'] };
    await call('AssociateAccessPolicy', { ...named, policyArn: view, accessScope: scope });
    await assert.rejects(
      call('AssociateAccessPolicy', { ...named, policyArn: view, accessScope: { type: 'namespace' } }),
      refused('InvalidParameterException'),
    );
    const listed = (await call('ListAssociatedAccessPolicies', named)).associatedAccessPolicies;
    assert.deepEqual(listed[0].accessScope, scope);
    await call('DisassociateAccessPolicy', { ...named, policyArn: view });
    assert.deepEqual((await call('ListAssociatedAccessPolicies', named)).associatedAccessPolicies, []);
    await call('DeleteAccessEntry', named);
    await assert.rejects(call('DescribeAccessEntry', named), refused('ResourceNotFoundException'));
  });

  test('a change of a cluster is an update that can be followed', async () => {
    await create({ version: '1.33' });
    await bringUp();
    await assert.rejects(
      call('UpdateClusterVersion', { name: 'c1', version: '1.32' }),
      refused('InvalidParameterException', 'from 1.33 to 1.32'),
    );
    const { update } = await call('UpdateClusterVersion', { name: 'c1', version: '1.34' });
    assert.equal(update.status, 'InProgress');
    assert.deepEqual(update.params, [{ type: 'Version', value: '1.34' }]);
    assert.deepEqual((await call('ListUpdates', { name: 'c1' })).updateIds, [update.id]);
    assert.equal((await call('DescribeCluster', { name: 'c1' })).cluster.status, 'UPDATING');
    await assert.rejects(
      call('UpdateClusterConfig', { name: 'c1', deletionProtection: true }),
      refused('ResourceInUseException', 'UPDATING'),
    );
  });

  test('a cluster takes one kind of change a call, and one that changes something', async () => {
    await create();
    await bringUp();
    const change = async (config: object) => await call('UpdateClusterConfig', { name: 'c1', ...config });
    const logging = { clusterLogging: [{ types: ['api'], enabled: true }] };
    const isOne = refused('InvalidParameterException', 'Only one type of update can be allowed.');
    await assert.rejects(change({ logging, deletionProtection: true }), isOne);
    await assert.rejects(change({ logging, resourcesVpcConfig: { endpointPrivateAccess: true } }), isOne);
    const { subnetIds } = (await call('DescribeCluster', { name: 'c1' })).cluster.resourcesVpcConfig;
    await assert.rejects(change({ resourcesVpcConfig: { endpointPrivateAccess: true, subnetIds } }), isOne);
    await assert.rejects(change({}), refused('InvalidParameterException', 'No changes needed'));
    const off = { clusterLogging: [{ types: ['api'], enabled: false }] };
    await assert.rejects(change({ logging: off }), refused('InvalidParameterException', 'for the logging config'));
    await assert.rejects(
      change({ resourcesVpcConfig: { endpointPrivateAccess: false } }),
      refused('InvalidParameterException', 'already at the desired configuration'),
    );
    const { update } = await change({ logging });
    assert.equal(update.type, 'LoggingUpdate');
    const { cluster } = await call('DescribeCluster', { name: 'c1' });
    assert.deepEqual(cluster.logging.clusterLogging[0], { types: ['api'], enabled: true });
    assert.equal(cluster.deletionProtection, false);
  });

  test('a node group holds its cluster, and its sizes agree', async () => {
    await create();
    await assert.rejects(createNodegroup(), refused('InvalidRequestException', 'not in ACTIVE'));
    await bringUp();
    await assert.rejects(
      createNodegroup({ scalingConfig: { minSize: 3, maxSize: 2, desiredSize: 2 } }),
      refused('InvalidParameterException'),
    );
    await assert.rejects(createNodegroup({ instanceTypes: ['z9.huge'] }), refused('InvalidParameterException'));
    await assert.rejects(
      createNodegroup({ launchTemplate: { name: 'lt' } }),
      refused('InvalidParameterException', 'lt'),
    );
    const { nodegroup } = await createNodegroup({
      scalingConfig: { minSize: 1, maxSize: 3, desiredSize: 2 },
      labels: { tier: 'web' },
      taints: [{ key: 'dedicated', value: 'web', effect: 'NO_SCHEDULE' }],
    });
    assert.equal(nodegroup.status, 'CREATING');
    assert.match(nodegroup.nodegroupArn, /:nodegroup\/c1\/ng\/[0-9a-f-]{36}$/);
    await assert.rejects(createNodegroup(), refused('ResourceInUseException', 'ng'));
    await assert.rejects(call('DeleteCluster', { name: 'c1' }), refused('ResourceInUseException', 'nodegroups'));
    assert.equal((await call('ListAccessEntries', { clusterName: 'c1' })).accessEntries.length, 2);
    const deleted = await call('DeleteNodegroup', { clusterName: 'c1', nodegroupName: 'ng' });
    assert.equal(deleted.nodegroup.status, 'DELETING');
  });

  test('parts of a cluster carry tags under their own ARNs', async () => {
    await create({ tags: { a: '1' } });
    await bringUp();
    const { nodegroup } = await createNodegroup();
    for (const resourceArn of [`arn:aws:eks:${region}:${account}:cluster/c1`, nodegroup.nodegroupArn]) {
      await call('TagResource', { resourceArn, tags: { b: '2' } });
      await call('UntagResource', { resourceArn, tagKeys: ['a'] });
      assert.deepEqual((await call('ListTagsForResource', { resourceArn })).tags, { b: '2' });
    }
  });

  test('add-ons that the platform does itself are there; others are refused by name', async () => {
    await create();
    await bringUp();
    await call('CreateAddon', { clusterName: 'c1', addonName: 'vpc-cni' });
    assert.deepEqual((await call('ListAddons', { clusterName: 'c1' })).addons, ['vpc-cni']);
    assert.equal((await call('DescribeAddon', { clusterName: 'c1', addonName: 'vpc-cni' })).addon.status, 'ACTIVE');
    await assert.rejects(
      call('CreateAddon', { clusterName: 'c1', addonName: 'aws-ebs-csi-driver' }),
      refused('UnsupportedOperation', 'aws-ebs-csi-driver'),
    );
  });

  test('what a cluster is given is written together with the answer of its client token', async () => {
    await create({ version: '1.33' });
    await bringUp();
    await createNodegroup();
    const groupId = `${account}/${region}/c1/ng`;
    await eksCollections(store).nodegroups.update(groupId, (record) => ({ ...record, status: 'ACTIVE' }));
    const remembered = async (operation: string, input: object) =>
      await callRemembered(store, () => eks.definition, {
        operation,
        input: { clusterName: 'c1', ...input },
        prefix: 'eks/',
        context: context(),
      });
    await remembered('CreateAccessEntry', { principalArn: `arn:aws:iam::${account}:role/dev` });
    await remembered('CreateAddon', { addonName: 'coredns' });
    await remembered('UpdateAddon', { addonName: 'coredns' });
    await remembered('CreatePodIdentityAssociation', { namespace: 'n', serviceAccount: 's', roleArn });
    await remembered('UpdateNodegroupConfig', { nodegroupName: 'ng', scalingConfig: { maxSize: 3 } });
    await remembered('UpdateClusterVersion', { name: 'c1', version: '1.34' });
  });

  test('a call asks for the right on what it names', async () => {
    await create({ tags: { team: 'a' } });
    await bringUp();
    const { nodegroup } = await createNodegroup({ tags: { tier: 'web' } });
    const needs = async (operation: string, input: object) =>
      await eks.definition.permissions!(operation, input, context());
    const [described] = await needs('DescribeCluster', { name: 'c1' });
    assert.deepEqual(described!.resources, [`arn:aws:eks:${region}:${account}:cluster/c1`]);
    assert.equal(described!.context?.['aws:ResourceTag/team'], 'a');
    const [changed] = await needs('UpdateNodegroupConfig', { clusterName: 'c1', nodegroupName: 'ng' });
    assert.deepEqual(changed!.resources, [nodegroup.nodegroupArn]);
    const created = await needs('CreateNodegroup', { clusterName: 'c1', nodegroupName: 'x', tags: { t: '1' } });
    assert.deepEqual(
      created.map(({ action }) => action),
      ['eks:CreateNodegroup', 'eks:TagResource'],
    );
  });
});
