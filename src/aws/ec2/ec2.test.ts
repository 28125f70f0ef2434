import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ManualClock, silentLogger, systemRandom } from '#base';
import { memoryStore } from '#store';
import { account, type Answer, caller, callRemembered, refused, region } from '../test-calls.ts';
import { createEc2 } from './index.ts';

function service(publicCidr = '198.18.0.0/16') {
  const store = memoryStore();
  const ec2 = createEc2({ store, clock: new ManualClock(), random: systemRandom, publicCidr, logger: silentLogger });
  return { ...ec2, store, call: caller(() => ec2.definition) };
}
describe('ec2', () => {
  let ec2: ReturnType<typeof service>;
  beforeEach(() => {
    ec2 = service();
  });

  test('the default VPC is there at the first look, once', async () => {
    const [first] = await Promise.all([ec2.call('DescribeVpcs'), ec2.call('DescribeSubnets')]);
    assert.equal(first.Vpcs.length, 1);
    assert.equal(first.Vpcs[0].CidrBlock, '172.31.0.0/16');
    const { Subnets } = await ec2.call('DescribeSubnets', {
      Filters: [{ Name: 'vpc-id', Values: [first.Vpcs[0].VpcId] }],
    });
    assert.deepEqual(
      Subnets.map((subnet: Answer) => [
        subnet.AvailabilityZone,
        subnet.CidrBlock,
        subnet.AvailableIpAddressCount,
      ]).sort(),
      [
        ['us-east-1a', '172.31.0.0/20', 4091],
        ['us-east-1b', '172.31.16.0/20', 4091],
        ['us-east-1c', '172.31.32.0/20', 4091],
      ],
    );
    const { RouteTables } = await ec2.call('DescribeRouteTables', {
      Filters: [{ Name: 'association.main', Values: ['true'] }],
    });
    assert.deepEqual(
      RouteTables[0].Routes.map((route: Answer) => [route.DestinationCidrBlock, route.State]),
      [
        ['172.31.0.0/16', 'active'],
        ['0.0.0.0/0', 'active'],
      ],
    );
  });

  test('what is made is written together with the answer of its client token', async () => {
    const { SubnetId, VpcId } = (await ec2.call('DescribeSubnets')).Subnets[0];
    const remembered = async (operation: string, input: object, prefix: string) =>
      await callRemembered(ec2.store, () => ec2.definition, { operation, input, prefix });
    await remembered('CreateNetworkInterface', { SubnetId }, 'network/network-interfaces/');
    await remembered('CreateRouteTable', { VpcId }, 'network/route-tables/');
    const LaunchTemplateName = 'web';
    const template = { LaunchTemplateName, LaunchTemplateData: { InstanceType: 't3.small' } };
    await remembered('CreateLaunchTemplate', template, 'ec2/launch-template');
    await remembered('CreateLaunchTemplateVersion', template, 'ec2/launch-template');
  });

  test('a default VPC that was deleted stays deleted', async () => {
    const { Vpcs } = await ec2.call('DescribeVpcs');
    const VpcId = Vpcs[0].VpcId;
    await assert.rejects(ec2.call('DeleteVpc', { VpcId }), refused('DependencyViolation'));
    for (const { SubnetId } of (await ec2.call('DescribeSubnets')).Subnets)
      await ec2.call('DeleteSubnet', { SubnetId });
    const { InternetGatewayId } = (await ec2.call('DescribeInternetGateways')).InternetGateways[0];
    await ec2.call('DetachInternetGateway', { InternetGatewayId, VpcId });
    await ec2.call('DeleteInternetGateway', { InternetGatewayId });
    await ec2.call('DeleteVpc', { VpcId });
    assert.equal((await ec2.call('DescribeVpcs')).Vpcs.length, 0);
    assert.equal((await ec2.call('DescribeSecurityGroups')).SecurityGroups.length, 0);
  });

  test('filters: names, wildcards, tags, and a name that is none', async () => {
    const { Vpc } = await ec2.call('CreateVpc', {
      CidrBlock: '10.9.0.1/16',
      TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'Name', Value: 'blue-1' }] }],
    });
    assert.equal(Vpc.CidrBlock, '10.9.0.0/16');
    const found = async (Name: string, ...Values: string[]) =>
      (await ec2.call('DescribeVpcs', { Filters: [{ Name, Values }] })).Vpcs.length;
    assert.equal(await found('isDefault', 'true'), 1);
    assert.equal(await found('tag:Name', 'blue-*'), 1);
    assert.equal(await found('tag:Name', 'blue-?', 'red'), 1);
    assert.equal(await found('tag:Name', 'BLUE-1'), 0);
    assert.equal(await found('tag-key', 'Name'), 1);
    assert.equal(await found('cidr', '10.9.*'), 1);
    await assert.rejects(found('colour', 'x'), refused('InvalidParameterValue'));
    await assert.rejects(ec2.call('DescribeVpcs', { VpcIds: ['vpc-0123'] }), refused('InvalidVpcID.NotFound'));
    await assert.rejects(ec2.call('CreateVpc', { CidrBlock: '10.9.0.0/16', DryRun: true }), refused('DryRunOperation'));
    await ec2.call('DeleteTags', { Resources: [Vpc.VpcId], Tags: [{ Key: 'Name', Value: 'other' }] });
    assert.equal(await found('tag-key', 'Name'), 1);
    await ec2.call('DeleteTags', { Resources: [Vpc.VpcId], Tags: [{ Key: 'Name' }] });
    assert.equal(await found('tag-key', 'Name'), 0);
  });

  test('security group rules: shorthand, permissions, duplicates, references', async () => {
    const { GroupId } = await ec2.call('CreateSecurityGroup', { GroupName: 'web', Description: 'web' });
    await assert.rejects(
      ec2.call('CreateSecurityGroup', { GroupName: 'web', Description: 'again' }),
      refused('InvalidGroup.Duplicate'),
    );
    const rule = { GroupId, IpProtocol: 'tcp', FromPort: 8080, ToPort: 8080, CidrIp: '0.0.0.0/0' };
    const added = await ec2.call('AuthorizeSecurityGroupIngress', rule);
    assert.equal(added.SecurityGroupRules[0].CidrIpv4, '0.0.0.0/0');
    await assert.rejects(ec2.call('AuthorizeSecurityGroupIngress', rule), refused('InvalidPermission.Duplicate'));
    const other = await ec2.call('CreateSecurityGroup', { GroupName: 'db', Description: 'db' });
    await ec2.call('AuthorizeSecurityGroupIngress', {
      GroupId: other.GroupId,
      IpPermissions: [
        { IpProtocol: '6', FromPort: 5432, ToPort: 5432, UserIdGroupPairs: [{ GroupId, Description: 'from web' }] },
      ],
    });
    await assert.rejects(ec2.call('DeleteSecurityGroup', { GroupId }), refused('DependencyViolation'));
    const { SecurityGroups } = await ec2.call('DescribeSecurityGroups', {
      Filters: [{ Name: 'ip-permission.group-id', Values: [GroupId] }],
    });
    assert.deepEqual(SecurityGroups[0].IpPermissions[0].UserIdGroupPairs, [
      { GroupId, UserId: account, Description: 'from web' },
    ]);
    await ec2.call('RevokeSecurityGroupIngress', rule);
    await assert.rejects(ec2.call('RevokeSecurityGroupIngress', rule), refused('InvalidPermission.NotFound'));
    await ec2.call('DeleteSecurityGroup', { GroupId: other.GroupId });
    await ec2.call('DeleteSecurityGroup', { GroupId });
  });

  test('interfaces: unique addresses, a full subnet, use forbids deletion', async () => {
    const { Vpc } = await ec2.call('CreateVpc', { CidrBlock: '10.0.0.0/24' });
    const { Subnet } = await ec2.call('CreateSubnet', {
      VpcId: Vpc.VpcId,
      CidrBlock: '10.0.0.0/28',
      AvailabilityZone: 'us-east-1b',
    });
    await assert.rejects(
      ec2.call('CreateSubnet', { VpcId: Vpc.VpcId, CidrBlock: '10.0.0.0/28' }),
      refused('InvalidSubnet.Conflict'),
    );
    const request = { account, region: 'us-east-1', subnetId: Subnet.SubnetId, description: 'x', managedBy: 'ecs' };
    const made = await Promise.all(Array.from({ length: 11 }, () => ec2.network.createInterface(request)));
    assert.equal(new Set(made.map(({ privateIp }) => privateIp)).size, 11);
    await assert.rejects(ec2.network.createInterface(request), refused('InsufficientFreeAddressesInSubnet'));
    await assert.rejects(ec2.call('DeleteSubnet', { SubnetId: Subnet.SubnetId }), refused('DependencyViolation'));
    const NetworkInterfaceId = made[0]!.id;
    await assert.rejects(ec2.call('DeleteNetworkInterface', { NetworkInterfaceId }), refused('OperationNotPermitted'));
    for (const { id } of made) await ec2.network.deleteInterface(request, id);
    await ec2.network.deleteInterface(request, NetworkInterfaceId);
    await ec2.call('DeleteSubnet', { SubnetId: Subnet.SubnetId });
  });

  test('elastic addresses come and go with associations', async () => {
    const [subnet] = (await ec2.call('DescribeSubnets')).Subnets;
    const { NetworkInterface } = await ec2.call('CreateNetworkInterface', { SubnetId: subnet.SubnetId });
    const { NetworkInterfaceId } = NetworkInterface;
    const { AllocationId, PublicIp } = await ec2.call('AllocateAddress', { Domain: 'vpc' });
    const { AssociationId } = await ec2.call('AssociateAddress', { AllocationId, NetworkInterfaceId });
    await assert.rejects(ec2.call('ReleaseAddress', { AllocationId }), refused('InvalidIPAddress.InUse'));
    const shown = async () =>
      (await ec2.call('DescribeNetworkInterfaces', { NetworkInterfaceIds: [NetworkInterfaceId] })).NetworkInterfaces[0];
    assert.equal((await shown()).Association.PublicIp, PublicIp);
    await ec2.call('DisassociateAddress', { AssociationId });
    assert.equal((await shown()).Association, undefined);
    await ec2.call('DeleteNetworkInterface', { NetworkInterfaceId });
    await ec2.call('ReleaseAddress', { AllocationId });
    assert.equal((await ec2.call('DescribeAddresses')).Addresses.length, 0);
  });

  test('an address that a service uses is not taken from it', async () => {
    const [subnet] = (await ec2.call('DescribeSubnets')).Subnets;
    const { AllocationId } = await ec2.call('AllocateAddress', { Domain: 'vpc' });
    const { id, publicIpAssociationId: AssociationId } = await ec2.network.createInterface({
      account,
      region,
      subnetId: subnet.SubnetId,
      description: '',
      managedBy: 'amazon-elb',
      elasticIpId: AllocationId,
    });
    const { NetworkInterface } = await ec2.call('CreateNetworkInterface', { SubnetId: subnet.SubnetId });
    const { NetworkInterfaceId } = NetworkInterface;
    const isKept = refused('OperationNotPermitted', 'amazon-elb');
    await assert.rejects(ec2.call('DisassociateAddress', { AssociationId }), isKept);
    await assert.rejects(ec2.call('AssociateAddress', { AllocationId, NetworkInterfaceId }), isKept);
    const other = await ec2.call('AllocateAddress', { Domain: 'vpc' });
    const onto = { AllocationId: other.AllocationId, NetworkInterfaceId: id };
    await assert.rejects(ec2.call('AssociateAddress', onto), isKept);
    await ec2.network.deleteInterface({ account, region }, id);
    await ec2.call('ReleaseAddress', { AllocationId });
  });

  test('paging goes on behind what was seen', async () => {
    for (let index = 0; index < 7; index++)
      await ec2.call('CreateSecurityGroup', { GroupName: `g${index}`, Description: 'd' });
    const first = await ec2.call('DescribeSecurityGroups', { MaxResults: 5 });
    const second = await ec2.call('DescribeSecurityGroups', { MaxResults: 5, NextToken: first.NextToken });
    assert.equal(first.SecurityGroups.length + second.SecurityGroups.length, 8);
    assert.equal(second.NextToken, undefined);
    await assert.rejects(
      ec2.call('DescribeSecurityGroups', { MaxResults: 5, NextToken: 'nonsense' }),
      refused('InvalidNextToken'),
    );
  });
});
