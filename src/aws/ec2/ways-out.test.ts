import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ManualClock, silentLogger, systemRandom } from '#base';
import { memoryStore, type Store } from '#store';
import { type Answer, caller, refused } from '../test-calls.ts';
import { createEc2 } from './index.ts';

describe('ways out of a VPC, and what stands in them', () => {
  let store: Store;
  let ec2: ReturnType<typeof createEc2>;
  const call = caller(() => ec2.definition);

  beforeEach(() => {
    store = memoryStore();
    const common = { store, clock: new ManualClock(), random: systemRandom, logger: silentLogger };
    ec2 = createEc2({ ...common, publicCidr: '198.18.0.0/16' });
  });

  test('a NAT gateway has an elastic address, routes lead to it, and both come free with it', async () => {
    const [publicSubnet, inside] = (await call('DescribeSubnets')).Subnets;
    const { AllocationId, PublicIp } = await call('AllocateAddress');
    await assert.rejects(call('CreateNatGateway', { SubnetId: publicSubnet.SubnetId }), refused('MissingParameter'));
    const asked = { SubnetId: publicSubnet.SubnetId, AllocationId };
    await assert.rejects(
      call('CreateNatGateway', { ...asked, ConnectivityType: 'private' }),
      refused('UnsupportedOperation', 501),
    );
    const tags = [{ ResourceType: 'natgateway', Tags: [{ Key: 'Name', Value: 'out' }] }];
    const { NatGateway } = await call('CreateNatGateway', { ...asked, TagSpecifications: tags });
    const { NatGatewayId, NatGatewayAddresses } = NatGateway;
    assert.equal(NatGatewayAddresses[0].PublicIp, PublicIp);
    await assert.rejects(call('CreateNatGateway', asked), refused('Resource.AlreadyAssociated'));
    const own = { NetworkInterfaceIds: [NatGatewayAddresses[0].NetworkInterfaceId] };
    const [eni] = (await call('DescribeNetworkInterfaces', own)).NetworkInterfaces;
    assert.deepEqual([eni.Description, eni.RequesterManaged], [`Interface for NAT Gateway ${NatGatewayId}`, true]);
    await assert.rejects(call('ReleaseAddress', { AllocationId }), refused('InvalidIPAddress.InUse'));
    await assert.rejects(
      call('DisassociateAddress', { AssociationId: NatGatewayAddresses[0].AssociationId }),
      refused('OperationNotPermitted'),
    );
    const { RouteTable } = await call('CreateRouteTable', { VpcId: inside.VpcId });
    const { RouteTableId } = RouteTable;
    const route = { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', NatGatewayId };
    await call('CreateRoute', route);
    const state = async () =>
      (await call('DescribeRouteTables', { RouteTableIds: [RouteTableId] })).RouteTables[0].Routes[1].State;
    assert.equal(await state(), 'active');
    const states = async (Filter: object[]) =>
      (await call('DescribeNatGateways', { Filter })).NatGateways.map(({ State, Tags }: Answer) => [
        State,
        Tags[0].Value,
      ]);
    assert.deepEqual(await states([{ Name: 'vpc-id', Values: [inside.VpcId] }]), [['available', 'out']]);
    await call('DeleteNatGateway', { NatGatewayId });
    await call('DeleteNatGateway', { NatGatewayId });
    assert.equal(await state(), 'blackhole');
    assert.deepEqual(await states([{ Name: 'state', Values: ['deleted'] }]), [['deleted', 'out']]);
    await assert.rejects(call('ReplaceRoute', route), refused('InvalidNatGatewayID.NotFound'));
    await call('ReleaseAddress', { AllocationId });
    await assert.rejects(call('DescribeNetworkInterfaces', own), refused('InvalidNetworkInterfaceID.NotFound'));
    await assert.rejects(
      call('DescribeNatGateways', { NatGatewayIds: ['nat-0123456789abcdef0'] }),
      refused('NatGatewayNotFound'),
    );
  });

  test('a NAT gateway that could not be deleted is not said to be', async (t) => {
    const [{ SubnetId }] = (await call('DescribeSubnets')).Subnets;
    const { AllocationId } = await call('AllocateAddress');
    const { NatGatewayId } = (await call('CreateNatGateway', { SubnetId, AllocationId })).NatGateway;
    const revision = await store.revision();
    const busy = t.mock.method(store, 'txn', async () => ({ succeeded: false, revision, results: [] }));
    await assert.rejects(call('DeleteNatGateway', { NatGatewayId }), refused('RequestLimitExceeded'));
    busy.mock.restore();
    assert.equal((await call('DescribeNatGateways')).NatGateways[0].State, 'available');
  });

  test('a VPC has a default network ACL with all its subnets', async () => {
    const { VpcId } = (await call('DescribeVpcs')).Vpcs[0];
    const Filters = [
      { Name: 'vpc-id', Values: [VpcId] },
      { Name: 'default', Values: ['true'] },
    ];
    const { NetworkAcls } = await call('DescribeNetworkAcls', { Filters });
    assert.equal(NetworkAcls.length, 1);
    assert.equal(NetworkAcls[0].Associations.length, 3);
    assert.deepEqual(
      NetworkAcls[0].Entries.map(({ Egress, RuleNumber, RuleAction }: Answer) => [Egress, RuleNumber, RuleAction]),
      [
        [true, 100, 'allow'],
        [true, 32_767, 'deny'],
        [false, 100, 'allow'],
        [false, 32_767, 'deny'],
      ],
    );
  });

  test('an association moves to another table, the main one too', async () => {
    const [subnet] = (await call('DescribeSubnets')).Subnets;
    const make = async () => (await call('CreateRouteTable', { VpcId: subnet.VpcId })).RouteTable.RouteTableId;
    const [one, two] = [await make(), await make()];
    const { AssociationId } = await call('AssociateRouteTable', { RouteTableId: one, SubnetId: subnet.SubnetId });
    const { NewAssociationId } = await call('ReplaceRouteTableAssociation', { AssociationId, RouteTableId: two });
    const of = async (RouteTableId: string) =>
      (await call('DescribeRouteTables', { RouteTableIds: [RouteTableId] })).RouteTables[0].Associations;
    assert.deepEqual(await of(one), []);
    assert.equal((await of(two))[0].RouteTableAssociationId, NewAssociationId);
    const main = { Filters: [{ Name: 'association.main', Values: ['true'] }] };
    const before = (await call('DescribeRouteTables', main)).RouteTables[0];
    const replaced = { AssociationId: before.Associations[0].RouteTableAssociationId, RouteTableId: one };
    await call('ReplaceRouteTableAssociation', replaced);
    const { RouteTables } = await call('DescribeRouteTables', main);
    assert.deepEqual(
      RouteTables.map(({ RouteTableId }: Answer) => RouteTableId),
      [one],
    );
    await assert.rejects(call('ReplaceRouteTableAssociation', replaced), refused('InvalidAssociationID.NotFound'));
  });

  test('rules are changed and described by their ids', async () => {
    const { GroupId } = await call('CreateSecurityGroup', { GroupName: 'web', Description: 'web' });
    const { SecurityGroupRules } = await call('AuthorizeSecurityGroupIngress', {
      GroupId,
      IpPermissions: [
        { IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: '10.0.0.0/8' }] },
        { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [{ CidrIp: '10.0.0.0/8' }] },
      ],
    });
    const [{ SecurityGroupRuleId }, other] = SecurityGroupRules;
    const modify = async (rule: object) =>
      await call('ModifySecurityGroupRules', {
        GroupId,
        SecurityGroupRules: [{ SecurityGroupRuleId, SecurityGroupRule: { IpProtocol: 'tcp', ...rule } }],
      });
    await modify({ FromPort: 8080, ToPort: 8081, ReferencedGroupId: GroupId, Description: 'own' });
    const rule = async (id: string) =>
      (await call('DescribeSecurityGroupRules', { SecurityGroupRuleIds: [id] })).SecurityGroupRules[0];
    const changed = await rule(SecurityGroupRuleId);
    assert.deepEqual([changed.FromPort, changed.ToPort, changed.Description], [8080, 8081, 'own']);
    assert.equal(changed.ReferencedGroupInfo.GroupId, GroupId);
    const asOther = { FromPort: 443, ToPort: 443, CidrIpv4: '10.0.0.0/8' };
    await assert.rejects(modify(asOther), refused('InvalidPermission.Duplicate'));
    await assert.rejects(modify({ ...asOther, ReferencedGroupId: GroupId }), refused('InvalidParameterCombination'));
    const descriptions = [{ SecurityGroupRuleId: other.SecurityGroupRuleId, Description: 'tls' }];
    await call('UpdateSecurityGroupRuleDescriptionsIngress', { GroupId, SecurityGroupRuleDescriptions: descriptions });
    assert.equal((await rule(other.SecurityGroupRuleId)).Description, 'tls');
    const IpPermissions = [{ IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }];
    await call('UpdateSecurityGroupRuleDescriptionsIngress', { GroupId, IpPermissions });
    assert.equal((await rule(other.SecurityGroupRuleId)).Description, undefined);
  });

  test('a group that a rule is described by is of the same VPC', async () => {
    const own = (await call('DescribeVpcs')).Vpcs[0].VpcId;
    const other = (await call('CreateVpc', { CidrBlock: '10.9.0.0/16' })).Vpc.VpcId;
    for (const VpcId of [own, other]) {
      const make = async (GroupName: string) =>
        (await call('CreateSecurityGroup', { GroupName, Description: 'x', VpcId })).GroupId;
      const [GroupId, peer] = [await make('web'), await make('peer')];
      const https = { IpProtocol: 'tcp', FromPort: 443, ToPort: 443 };
      const by = (pair: object) => ({ GroupId, IpPermissions: [{ ...https, UserIdGroupPairs: [pair] }] });
      await call('AuthorizeSecurityGroupIngress', by({ GroupId: peer }));
      const described = by({ GroupName: 'peer', Description: 'of this VPC' });
      await call('UpdateSecurityGroupRuleDescriptionsIngress', described);
      const Filters = [{ Name: 'group-id', Values: [GroupId] }];
      const rules = (await call('DescribeSecurityGroupRules', { Filters })).SecurityGroupRules;
      assert.ok(rules.some(({ Description }: Answer) => Description === 'of this VPC'));
    }
  });
});
