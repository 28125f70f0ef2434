import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom, type Arn } from '#base';
import { nodeRecords } from '#node';
import { memoryStore, type Store } from '#store';
import { createAuthorizer, type Principal } from '../../auth/index.ts';
import { account, callContext, caller, region, type Answer } from '../../test-calls.ts';
import { createEc2, lightImageId } from '../index.ts';
import { resourceRows } from './resources.ts';

const user: Principal = {
  kind: 'user',
  account,
  arn: `arn:aws:iam::${account}:user/u` as Arn,
  principalId: 'AIDA1',
  userName: 'u',
  accessKeyId: 'AKIA1',
};

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: object;
}

const small = process.arch === 'arm64' ? 't4g.small' : 't3.small';
const arn = (kind: string, id: string) => `arn:aws:ec2:${region}:${account}:${kind}/${id}`;
const profileArn = `arn:aws:iam::${account}:instance-profile/admin`;
const IpRanges = [{ CidrIp: '10.0.0.0/8' }];
const everything: Statement = { Effect: 'Allow', Resource: '*' };

describe('permissions of EC2', () => {
  let ec2: ReturnType<typeof createEc2>;
  let store: Store;
  let subnet: Answer;
  let other: Answer;
  let group: string;
  let denied: string;
  let vpcId: string;
  const call = caller(() => ec2.definition);

  /** What the edge asks, of policies with these statements: the first resource that was refused, or undefined. */
  async function refusal(statements: readonly Statement[], operation: string, input: object, context = callContext()) {
    const policy = { Version: '2012-10-17', Statement: statements.map((one) => ({ Action: 'ec2:*', ...one })) };
    const policies = { policiesOf: () => ({ identity: [JSON.stringify(policy)], boundary: undefined, tags: {} }) };
    const authorizer = createAuthorizer({ policies, clock: systemClock });
    const resolved = await ec2.definition.resolve!(operation, input, context);
    for (const permission of await ec2.definition.permissions!(operation, resolved, context)) {
      const { action, resources, context: conditions = {} } = permission;
      for (const resource of resources) {
        const answer = await authorizer.decide({ principal: user, action, resource, context: conditions, account });
        if (!answer.allowed) return `${action} ${resource.split(':')[5]}`;
      }
    }
    return undefined;
  }

  const run = (more: object = {}) => ({ ImageId: lightImageId, MinCount: 1, MaxCount: 1, ...more });

  beforeEach(async () => {
    store = memoryStore();
    const common = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
    const instanceProfiles = (_account: string, nameOrArn: string) =>
      [profileArn, 'admin'].includes(nameOrArn) ? { arn: profileArn, id: 'AIPA1', roleArn: undefined } : undefined;
    ec2 = createEc2({ ...common, publicCidr: '198.18.0.0/16', instanceProfiles });
    for (const zoneLetter of ['a', 'b', 'c'])
      await nodeRecords(store).nodes.create(`m-${zoneLetter}`, {
        id: `m-${zoneLetter}`,
        zoneLetter,
        cpuUnits: 4096,
        memoryMiB: 4096,
        machineId: 'm',
        startedAt: 0,
      });
    [subnet, other] = (await call('DescribeSubnets')).Subnets;
    vpcId = subnet.VpcId;
    const make = async (GroupName: string) =>
      (await call('CreateSecurityGroup', { GroupName, Description: GroupName })).GroupId;
    group = await make('open');
    denied = await make('kept');
  });

  test('every action that changes something says what it needs permission for', () => {
    const changing = Object.keys(ec2.definition.handlers).filter((name) => !/^(Describe|Get|Search)/.test(name));
    assert.ok(changing.length > 30);
    const without = changing.filter((name) => name !== 'RunInstances' && !resourceRows[name]);
    assert.deepEqual(without, []);
  });

  test('a subnet or group that is denied cannot be reached through an interface of the instance', async () => {
    const noSubnet: Statement[] = [everything, { Effect: 'Deny', Resource: arn('subnet', other.SubnetId) }];
    const noGroup: Statement[] = [everything, { Effect: 'Deny', Resource: arn('security-group', denied) }];
    const card = (more: object) => run({ NetworkInterfaces: [{ DeviceIndex: 0, ...more }] });
    const inSubnet = card({ SubnetId: other.SubnetId });
    const inGroup = card({ SubnetId: subnet.SubnetId, Groups: [group, denied] });
    assert.equal(await refusal(noSubnet, 'RunInstances', inSubnet), `ec2:RunInstances subnet/${other.SubnetId}`);
    assert.equal(await refusal(noGroup, 'RunInstances', inGroup), `ec2:RunInstances security-group/${denied}`);
    assert.equal(await refusal(noSubnet, 'RunInstances', inGroup), undefined);
    const second = run({
      NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: subnet.SubnetId }, { SubnetId: other.SubnetId }],
    });
    assert.match(String(await refusal(noSubnet, 'RunInstances', second)), /subnet/);
    // Named beside the interfaces, groups are the interfaces' too.
    const beside = { ...card({ SubnetId: subnet.SubnetId }), SecurityGroupIds: [denied] };
    assert.match(String(await refusal(noGroup, 'RunInstances', beside)), /security-group/);
  });

  test('nor through a launch template, whatever its latest version is by then', async () => {
    const statements: Statement[] = [
      everything,
      { Effect: 'Deny', Resource: [arn('subnet', other.SubnetId), arn('security-group', denied)] },
    ];
    const named = { LaunchTemplateName: 'web' };
    const data = (card: object) => ({ ImageId: lightImageId, NetworkInterfaces: [card] });
    await call('CreateLaunchTemplate', { ...named, LaunchTemplateData: data({ SubnetId: subnet.SubnetId }) });
    const version = async (card: object) =>
      await call('CreateLaunchTemplateVersion', { ...named, LaunchTemplateData: data(card) });
    await version({ SubnetId: other.SubnetId });
    await version({ SubnetId: subnet.SubnetId, Groups: [denied] });
    const by = (Version: string) => ({ LaunchTemplate: { ...named, Version }, MinCount: 1, MaxCount: 1 });
    assert.equal(await refusal(statements, 'RunInstances', by('1')), undefined);
    assert.match(String(await refusal(statements, 'RunInstances', by('2'))), /subnet/);
    assert.match(String(await refusal(statements, 'RunInstances', by('$Latest'))), /security-group/);
    const input = await ec2.definition.resolve!('RunInstances', by('$Latest'), callContext());
    assert.equal((input as Answer).LaunchTemplate.Version, '3');
    await assert.rejects(ec2.definition.resolve!('RunInstances', by('9'), callContext()), /version/);
  });

  test('the subnet and the group of those who name none have their say', async () => {
    const card = run({ NetworkInterfaces: [{ DeviceIndex: 0 }] });
    const noSubnets: Statement[] = [everything, { Effect: 'Deny', Resource: arn('subnet', '*') }];
    const defaults = (await call('DescribeSecurityGroups', { GroupNames: ['default'] })).SecurityGroups;
    const noDefault: Statement[] = [
      everything,
      { Effect: 'Deny', Resource: arn('security-group', defaults[0].GroupId) },
    ];
    for (const input of [run(), card]) {
      assert.match(String(await refusal(noSubnets, 'RunInstances', input)), /subnet/);
      assert.match(String(await refusal(noDefault, 'RunInstances', input)), /security-group/);
    }
    const alone = { SubnetId: subnet.SubnetId };
    assert.match(String(await refusal(noDefault, 'CreateNetworkInterface', alone)), /security-group/);
    assert.equal(await refusal(noDefault, 'CreateNetworkInterface', { ...alone, Groups: [group] }), undefined);
    const resolved = (await ec2.definition.resolve!('RunInstances', run(), callContext())) as Answer;
    assert.match(resolved.SubnetId, /^subnet-/);
  });

  test('the first call in a region makes no default VPC until it is permitted, and is asked for what it will make', async () => {
    const context = callContext({ region: 'eu-west-1' });
    const before = await store.revision();
    const nothing: Statement[] = [{ Effect: 'Deny', Resource: '*' }];
    const inVpc = { StringLike: { 'ec2:Vpc': `arn:aws:ec2:eu-west-1:${account}:vpc/vpc-*` } };
    const parts = ['subnet', 'network-interface', 'security-group'].map(
      (kind) => `arn:aws:ec2:eu-west-1:${account}:${kind}/*`,
    );
    const statements: Statement[] = [
      { Effect: 'Allow', Resource: parts, Condition: inVpc },
      { Effect: 'Allow', Resource: ['arn:aws:ec2:*:*:instance/*', 'arn:aws:ec2:*::image/*'] },
    ];
    assert.match(String(await refusal(nothing, 'RunInstances', run(), context)), /image/);
    assert.equal(await refusal(statements, 'RunInstances', run(), context), undefined);
    const group = { GroupName: 'x', Description: 'x' };
    assert.match(String(await refusal(nothing, 'CreateSecurityGroup', group, context)), /security-group/);
    const ruled = await ec2.definition.resolve!('AuthorizeSecurityGroupIngress', { GroupName: 'default' }, context);
    const resolved = await ec2.definition.resolve!('CreateSecurityGroup', group, context);
    assert.equal(await store.revision(), before);

    const inRegion = caller(
      () => ec2.definition,
      () => context,
    );
    await inRegion('CreateSecurityGroup', resolved);
    const { SecurityGroups } = await inRegion('DescribeSecurityGroups');
    const named = (name: string) => SecurityGroups.find((one: Answer) => one.GroupName === name);
    assert.equal(named('x').VpcId, (resolved as Answer).VpcId);
    assert.equal(named('default').GroupId, (ruled as Answer).GroupId);
  });

  test('permission for the instance alone is not enough, and every part has conditions of its own', async () => {
    const onInstance: Statement = { Effect: 'Allow', Resource: arn('instance', '*') };
    assert.match(String(await refusal([onInstance], 'RunInstances', run())), /^ec2:RunInstances image/);
    const types = { StringEquals: { 'ec2:InstanceType': small } };
    const statements: Statement[] = [
      { Effect: 'Allow', Resource: arn('instance', '*'), Condition: types },
      { Effect: 'Allow', Resource: `arn:aws:ec2:${region}::image/*` },
      {
        Effect: 'Allow',
        Resource: [arn('subnet', '*'), arn('network-interface', '*'), arn('security-group', '*')],
        Condition: { StringEquals: { 'ec2:Vpc': arn('vpc', vpcId) } },
      },
    ];
    const smallRun = run({ InstanceType: small, SubnetId: subnet.SubnetId });
    assert.equal(await refusal(statements, 'RunInstances', smallRun), undefined);
    assert.match(
      String(await refusal(statements, 'RunInstances', { ...smallRun, InstanceType: 't3.large' })),
      /instance\/\*/,
    );
    const keyed = { ...smallRun, KeyName: 'k', BlockDeviceMappings: [{ Ebs: { VolumeSize: 8 } }] };
    assert.match(String(await refusal(statements, 'RunInstances', keyed)), /key-pair\/k/);
  });

  test('a profile is its ARN however it is named, and who names no type has one', async () => {
    const denies = (operator: string, key: string, value: string): Statement[] => [
      everything,
      { Effect: 'Deny', Resource: arn('instance', '*'), Condition: { [operator]: { [key]: value } } },
    ];
    const noProfile = denies('ArnEquals', 'ec2:InstanceProfile', profileArn);
    for (const IamInstanceProfile of [{ Name: 'admin' }, { Arn: profileArn }]) {
      assert.match(String(await refusal(noProfile, 'RunInstances', run({ IamInstanceProfile }))), /instance/);
      const LaunchTemplateName = `by-${Object.keys(IamInstanceProfile)}`;
      await call('CreateLaunchTemplate', { LaunchTemplateName, LaunchTemplateData: { IamInstanceProfile } });
      const byTemplate = run({ LaunchTemplate: { LaunchTemplateName } });
      assert.match(String(await refusal(noProfile, 'RunInstances', byTemplate)), /instance/);
    }
    assert.equal(await refusal(noProfile, 'RunInstances', run()), undefined);
    const noLarge = denies('StringEquals', 'ec2:InstanceType', 'm5.large');
    assert.match(String(await refusal(noLarge, 'RunInstances', run())), /instance/);
    assert.equal(await refusal(noLarge, 'RunInstances', run({ InstanceType: small })), undefined);
  });

  test('tags are those of each kind, and making some is a permission of its own', async () => {
    const tagged = (ResourceType: string, Value: string) => ({ ResourceType, Tags: [{ Key: 'team', Value }] });
    const teamA = { StringEquals: { 'aws:RequestTag/team': 'a' } };
    const statements: Statement[] = [
      { Effect: 'Allow', Action: 'ec2:RunInstances', Resource: '*' },
      {
        Effect: 'Allow',
        Action: 'ec2:CreateTags',
        Resource: arn('*', '*'),
        Condition: { StringEquals: { 'ec2:CreateAction': 'RunInstances', 'aws:RequestTag/team': 'a' } },
      },
      {
        Effect: 'Deny',
        Action: 'ec2:RunInstances',
        Resource: arn('instance', '*'),
        Condition: { Null: { 'aws:RequestTag/team': 'true' } },
      },
    ];
    const specified = (...TagSpecifications: object[]) => run({ TagSpecifications });
    assert.equal(await refusal(statements, 'RunInstances', specified(tagged('instance', 'a'))), undefined);
    assert.match(String(await refusal(statements, 'RunInstances', specified(tagged('instance', 'b')))), /CreateTags/);
    assert.match(
      String(await refusal(statements, 'RunInstances', specified(tagged('network-interface', 'a')))),
      /instance/,
    );
    const onOwn: Statement[] = [
      {
        Effect: 'Allow',
        Action: 'ec2:DeleteSubnet',
        Resource: '*',
        Condition: { StringEquals: { 'aws:ResourceTag/team': 'a' } },
      },
      { Effect: 'Allow', Action: 'ec2:CreateTags', Resource: '*', Condition: teamA },
    ];
    const deletion = { SubnetId: other.SubnetId };
    assert.match(String(await refusal(onOwn, 'DeleteSubnet', deletion)), /subnet/);
    await call('CreateTags', { Resources: [other.SubnetId], Tags: [{ Key: 'team', Value: 'a' }] });
    assert.equal(await refusal(onOwn, 'DeleteSubnet', deletion), undefined);
    const tag = (Value: string) => ({ Resources: [other.SubnetId], Tags: [{ Key: 'team', Value }] });
    assert.equal(await refusal(onOwn, 'CreateTags', tag('a')), undefined);
    assert.match(String(await refusal(onOwn, 'CreateTags', tag('b'))), /subnet/);
  });

  test('the tags of a rule count as those of any resource', async () => {
    const allowed = { GroupId: group, IpPermissions: [{ IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IpRanges }] };
    const TagSpecifications = [{ ResourceType: 'security-group-rule', Tags: [{ Key: 'keep', Value: 'yes' }] }];
    const { SecurityGroupRules } = await call('AuthorizeSecurityGroupIngress', { ...allowed, TagSpecifications });
    const kept: Statement = {
      Effect: 'Deny',
      Action: 'ec2:DeleteTags',
      Resource: '*',
      Condition: { StringEquals: { 'aws:ResourceTag/keep': 'yes' } },
    };
    const deletion = { Resources: [SecurityGroupRules[0].SecurityGroupRuleId] };
    assert.match(String(await refusal([everything, kept], 'DeleteTags', deletion)), /security-group-rule/);
    await call('DeleteTags', deletion);
    assert.equal(await refusal([everything, kept], 'DeleteTags', deletion), undefined);
  });

  test('what is named by a name, an address or an association is what is asked for', async () => {
    const noGroup: Statement[] = [everything, { Effect: 'Deny', Resource: arn('security-group', denied) }];
    for (const operation of ['DeleteSecurityGroup', 'AuthorizeSecurityGroupIngress', 'RevokeSecurityGroupEgress'])
      assert.match(String(await refusal(noGroup, operation, { GroupName: 'kept' })), /security-group/);
    const eni = (await call('CreateNetworkInterface', { SubnetId: subnet.SubnetId, Groups: [group] })).NetworkInterface;
    const { NetworkInterfaceId } = eni;
    const modified = { NetworkInterfaceId, Groups: [group, denied] };
    assert.match(String(await refusal(noGroup, 'ModifyNetworkInterfaceAttribute', modified)), /security-group/);
    const created = { SubnetId: subnet.SubnetId, Groups: [denied] };
    assert.match(String(await refusal(noGroup, 'CreateNetworkInterface', created)), /security-group/);
    const { AllocationId, PublicIp } = await call('AllocateAddress');
    const noAddress: Statement[] = [everything, { Effect: 'Deny', Resource: arn('elastic-ip', AllocationId) }];
    assert.match(String(await refusal(noAddress, 'ReleaseAddress', { PublicIp })), /elastic-ip/);
    assert.match(String(await refusal(noAddress, 'AssociateAddress', { PublicIp, NetworkInterfaceId })), /elastic-ip/);
    const { AssociationId } = await call('AssociateAddress', { AllocationId, NetworkInterfaceId });
    const noInterface: Statement[] = [
      everything,
      { Effect: 'Deny', Resource: arn('network-interface', NetworkInterfaceId) },
    ];
    for (const named of [{ AssociationId }, { PublicIp }]) {
      assert.match(String(await refusal(noAddress, 'DisassociateAddress', named)), /elastic-ip/);
      assert.match(String(await refusal(noInterface, 'DisassociateAddress', named)), /network-interface/);
      const input = await ec2.definition.resolve!('DisassociateAddress', named, callContext());
      assert.equal((input as Answer).AssociationId, AssociationId);
    }
    const { RouteTable } = await call('CreateRouteTable', { VpcId: vpcId });
    const { RouteTableId } = RouteTable;
    const association = await call('AssociateRouteTable', { RouteTableId, SubnetId: subnet.SubnetId });
    const noTable: Statement[] = [everything, { Effect: 'Deny', Resource: arn('route-table', RouteTableId) }];
    const dissociation = { AssociationId: association.AssociationId };
    assert.match(String(await refusal(noTable, 'DisassociateRouteTable', dissociation)), /route-table/);
    const noVpc: Statement[] = [everything, { Effect: 'Deny', Resource: arn('vpc', vpcId) }];
    const unnamed = { GroupName: 'x', Description: 'x' };
    assert.match(String(await refusal(noVpc, 'CreateSecurityGroup', unnamed)), /vpc/);
  });

  test('a template may be required for all that it says', async () => {
    const { LaunchTemplate } = await call('CreateLaunchTemplate', {
      LaunchTemplateName: 'web',
      LaunchTemplateData: { ImageId: lightImageId, InstanceType: small, SecurityGroupIds: [group] },
    });
    const byTemplate: Statement[] = [
      {
        Effect: 'Allow',
        Resource: '*',
        Condition: {
          ArnLike: { 'ec2:LaunchTemplate': arn('launch-template', LaunchTemplate.LaunchTemplateId) },
          Bool: { 'ec2:IsLaunchTemplateResource': 'true' },
        },
      },
      { Effect: 'Allow', Resource: [arn('subnet', '*'), arn('launch-template', '*')] },
    ];
    const by = { LaunchTemplate: { LaunchTemplateName: 'web' }, MinCount: 1, MaxCount: 1, SubnetId: subnet.SubnetId };
    assert.equal(await refusal(byTemplate, 'RunInstances', by), undefined);
    assert.match(
      String(await refusal(byTemplate, 'RunInstances', { ...by, InstanceType: 't3.large' })),
      /instance\/\*/,
    );
    assert.match(
      String(await refusal(byTemplate, 'RunInstances', { ...by, SecurityGroupIds: [denied] })),
      /security-group/,
    );
    assert.match(String(await refusal(byTemplate, 'RunInstances', run())), /image/);
  });

  test('what a template leaves to a default is not overridden', async () => {
    const overridden: Statement[] = [
      everything,
      { Effect: 'Deny', Resource: '*', Condition: { Bool: { 'ec2:IsLaunchTemplateResource': 'false' } } },
    ];
    const by = async (LaunchTemplateName: string, more: object) => {
      await call('CreateLaunchTemplate', {
        LaunchTemplateName,
        LaunchTemplateData: { ImageId: lightImageId, ...more },
      });
      return { LaunchTemplate: { LaunchTemplateName }, MinCount: 1, MaxCount: 1 };
    };
    const plain = await by('plain', {});
    assert.equal(await refusal(overridden, 'RunInstances', plain), undefined);
    const named = { ...plain, SubnetId: subnet.SubnetId };
    assert.match(String(await refusal(overridden, 'RunInstances', named)), /subnet/);
    const grouped = { ...plain, SecurityGroupIds: [group] };
    assert.match(String(await refusal(overridden, 'RunInstances', grouped)), /security-group/);
    const carded = await by('carded', { NetworkInterfaces: [{ DeviceIndex: 0 }] });
    assert.equal(await refusal(overridden, 'RunInstances', carded), undefined);
    const replaced = { ...carded, NetworkInterfaces: [{ DeviceIndex: 0 }] };
    assert.match(String(await refusal(overridden, 'RunInstances', replaced)), /network-interface/);
  });
});
