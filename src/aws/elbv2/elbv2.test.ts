import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import { networkRecords, type Subnet } from '#network';
import { memoryStore, type Store } from '#store';
import { createEc2 } from '../ec2/index.ts';
import { account, type Answer, caller, refused, region } from '../test-calls.ts';
import { createElbv2 } from './index.ts';

const scope = { account, region };

describe('network load balancers', () => {
  let store: Store;
  let elbv2: ReturnType<typeof createElbv2>;
  let subnets: readonly Subnet[];
  let vpcId: string;

  const call = caller(() => elbv2.definition);
  const createBalancer = async (more: object = {}) =>
    (await call('CreateLoadBalancer', { Name: 'web', Type: 'network', Subnets: [subnets[0]!.id], ...more }))
      .LoadBalancers[0];
  const createGroup = async (more: object = {}) =>
    (
      await call('CreateTargetGroup', {
        Name: 'pods',
        Protocol: 'TCP',
        Port: 80,
        VpcId: vpcId,
        TargetType: 'ip',
        ...more,
      })
    ).TargetGroups[0];
  const addressIn = (subnet: Subnet) => subnet.cidr.replace(/\d+\/\d+$/, '77');
  const listen = async (balancer: Answer, group: Answer, more: object = {}) =>
    (
      await call('CreateListener', {
        LoadBalancerArn: balancer.LoadBalancerArn,
        Protocol: 'TCP',
        Port: 80,
        DefaultActions: [{ Type: 'forward', TargetGroupArn: group.TargetGroupArn }],
        ...more,
      })
    ).Listeners[0];
  const published = async () => {
    const records = networkRecords(store);
    const values = async <T>(collection: { list(): Promise<readonly { readonly value: T }[]> }) =>
      (await collection.list()).map(({ value }) => value);
    return { balancers: await values(records.loadBalancers), groups: await values(records.targetGroups) };
  };

  beforeEach(async () => {
    store = memoryStore();
    const common = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
    const ec2 = createEc2({ ...common, publicCidr: '198.18.0.0/24' });
    elbv2 = createElbv2({ ...common, network: ec2.network, instances: ec2.instances });
    await ec2.network.ensureDefaultVpc(scope);
    vpcId = (await ec2.network.defaultVpc(scope))!.id;
    subnets = (await ec2.network.subnets(scope)).filter((subnet) => subnet.vpcId === vpcId);
  });

  test('a load balancer has an address in each subnet, and gives them back', async () => {
    const made = await createBalancer({ Subnets: subnets.slice(0, 2).map(({ id }) => id) });
    assert.match(
      made.LoadBalancerArn,
      /^arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer\/net\/web\/[0-9a-f]{16}$/,
    );
    assert.match(made.DNSName, /^web-[0-9a-f]{16}\.elb\.us-east-1\.amazonaws\.com$/);
    assert.equal(made.State.Code, 'active');
    const { balancers } = await published();
    assert.equal(balancers[0]!.dnsName, made.DNSName);
    assert.deepEqual(
      balancers[0]!.zones.map(({ zone }) => zone),
      subnets.slice(0, 2).map(({ zone }) => zone),
    );
    assert.match(balancers[0]!.zones[0]!.publicIp!, /^198\.18\.0\./);
    const interfaces = networkRecords(store).networkInterfaces;
    assert.equal((await interfaces.list()).length, 2);
    assert.deepEqual((await interfaces.list())[0]!.value.securityGroupIds, []);
    await call('DeleteLoadBalancer', { LoadBalancerArn: made.LoadBalancerArn });
    await call('DeleteLoadBalancer', { LoadBalancerArn: made.LoadBalancerArn });
    assert.equal((await interfaces.list()).length, 0);
    assert.deepEqual((await published()).balancers, []);
    await assert.rejects(
      call('DescribeLoadBalancers', { LoadBalancerArns: [made.LoadBalancerArn] }),
      refused('LoadBalancerNotFoundException'),
    );
  });

  test('addresses in several subnets have the same groups', async () => {
    const { value: group } = (await networkRecords(store).securityGroups.list())[0]!;
    await createBalancer({ Subnets: subnets.map(({ id }) => id), SecurityGroups: [group.id] });
    const interfaces = await networkRecords(store).networkInterfaces.list();
    assert.deepEqual(
      interfaces.map(({ value }) => value.securityGroupIds),
      subnets.map(() => [group.id]),
    );
  });

  test('an elastic address is in one zone', async () => {
    const SubnetMappings = subnets.slice(0, 2).map(({ id }) => ({ SubnetId: id, AllocationId: 'eipalloc-1' }));
    await assert.rejects(
      createBalancer({ Subnets: undefined, SubnetMappings }),
      refused('InvalidConfigurationRequestException', 'an elastic address of its own'),
    );
  });

  test('the same again is the same, and with other settings a duplicate', async () => {
    const made = await createBalancer();
    assert.equal((await createBalancer()).LoadBalancerArn, made.LoadBalancerArn);
    await assert.rejects(createBalancer({ Scheme: 'internal' }), refused('DuplicateLoadBalancerNameException'));
    const group = await createGroup();
    assert.equal((await createGroup()).TargetGroupArn, group.TargetGroupArn);
    await assert.rejects(createGroup({ Port: 81 }), refused('DuplicateTargetGroupNameException'));
  });

  test('what is not built says so', async () => {
    await assert.rejects(createBalancer({ Type: undefined }), refused('UnsupportedOperation', 501));
    await assert.rejects(createGroup({ Protocol: 'HTTP' }), refused('UnsupportedOperation', 501));
    const [balancer, group] = [await createBalancer(), await createGroup()];
    await assert.rejects(listen(balancer, group, { Protocol: 'TLS' }), refused('UnsupportedOperation', 501));
    const Attributes = [{ Key: 'access_logs.s3.enabled', Value: 'true' }];
    const modify = call('ModifyLoadBalancerAttributes', { LoadBalancerArn: balancer.LoadBalancerArn, Attributes });
    await assert.rejects(modify, refused('UnsupportedOperation', 501));
  });

  test('names and settings are checked', async () => {
    for (const Name of ['', 'a'.repeat(33), 'a_b', '-a', 'internal-a'])
      await assert.rejects(createBalancer({ Name }), refused('ValidationError', 400), Name);
    await assert.rejects(createBalancer({ Subnets: ['subnet-none'] }), refused('SubnetNotFoundException'));
    await assert.rejects(createBalancer({ SecurityGroups: ['sg-none'] }), refused('InvalidSecurityGroupException'));
    await assert.rejects(createGroup({ VpcId: 'vpc-none' }), refused('ValidationError'));
    await assert.rejects(createGroup({ HealthCheckIntervalSeconds: 1 }), refused('ValidationError'));
    await assert.rejects(createGroup({ HealthCheckPath: '/x' }), refused('ValidationError'));
    await assert.rejects(
      createGroup({ HealthCheckProtocol: 'HTTP', Matcher: { HttpCode: 'x' } }),
      refused('ValidationError'),
    );
  });

  test('a listener forwards to a group of its protocol, one at a port', async () => {
    const [balancer, group] = [await createBalancer(), await createGroup()];
    const listener = await listen(balancer, group);
    assert.deepEqual((await published()).balancers[0]!.listeners, [
      { protocols: ['tcp'], port: 80, targetGroupId: (await published()).groups[0]!.id },
    ]);
    await assert.rejects(listen(balancer, group), refused('DuplicateListenerException'));
    const datagrams = await createGroup({ Name: 'udp', Protocol: 'UDP' });
    await assert.rejects(listen(balancer, datagrams, { Port: 53 }), refused('IncompatibleProtocolsException'));
    const shown = await call('DescribeListeners', { LoadBalancerArn: balancer.LoadBalancerArn });
    assert.equal(shown.Listeners[0].DefaultActions[0].TargetGroupArn, group.TargetGroupArn);
    await call('ModifyListener', { ListenerArn: listener.ListenerArn, Port: 81 });
    assert.equal((await published()).balancers[0]!.listeners[0]!.port, 81);
    const groups = await call('DescribeTargetGroups', { LoadBalancerArn: balancer.LoadBalancerArn });
    assert.deepEqual(
      groups.TargetGroups.map((each: Answer) => each.TargetGroupName),
      ['pods'],
    );
    await assert.rejects(
      call('DeleteTargetGroup', { TargetGroupArn: group.TargetGroupArn }),
      refused('ResourceInUseException'),
    );
    await call('DeleteListener', { ListenerArn: listener.ListenerArn });
    await call('DeleteTargetGroup', { TargetGroupArn: group.TargetGroupArn });
    await assert.rejects(
      call('DeleteListener', { ListenerArn: listener.ListenerArn }),
      refused('ListenerNotFoundException'),
    );
  });

  test('targets are registered once, checked, and drain when they go', async () => {
    const [balancer, group] = [await createBalancer(), await createGroup()];
    const TargetGroupArn = group.TargetGroupArn;
    const target = { Id: addressIn(subnets[0]!), Port: 8080 };
    const health = async () =>
      (await call('DescribeTargetHealth', { TargetGroupArn })).TargetHealthDescriptions.map(
        (each: Answer) => each.TargetHealth.Reason ?? each.TargetHealth.State,
      );
    await call('RegisterTargets', { TargetGroupArn, Targets: [target, target] });
    await call('RegisterTargets', { TargetGroupArn, Targets: [target] });
    assert.deepEqual((await published()).groups[0]!.targets, [
      { address: target.Id, port: 8080, zone: subnets[0]!.zone },
    ]);
    assert.deepEqual(await health(), ['Target.NotInUse']);
    await listen(balancer, group);
    assert.deepEqual(await health(), ['Elb.InitialHealthChecking']);
    const { targetHealth } = networkRecords(store);
    await targetHealth.create(`${account}/${region}/${(await published()).groups[0]!.id}`, {
      targets: { [`${target.Id}:8080`]: { state: 'healthy' } },
    });
    assert.deepEqual(await health(), ['healthy']);
    await call('DeregisterTargets', { TargetGroupArn, Targets: [{ Id: target.Id }] });
    assert.deepEqual(await health(), ['Target.DeregistrationInProgress']);
    assert.deepEqual((await published()).groups[0]!.targets, []);
    for (const Id of ['8.8.8.8', 'i-1', '10.9.9.9'])
      await assert.rejects(
        call('RegisterTargets', { TargetGroupArn, Targets: [{ Id }] }),
        refused('ValidationError'),
        Id,
      );
    await call('RegisterTargets', { TargetGroupArn, Targets: [{ Id: '10.9.9.9', AvailabilityZone: 'all' }] });
    const byInstance = await createGroup({ Name: 'nodes', TargetType: 'instance' });
    await assert.rejects(
      call('RegisterTargets', { TargetGroupArn: byInstance.TargetGroupArn, Targets: [{ Id: 'i-none' }] }),
      refused('InvalidTargetException'),
    );
  });

  test('attributes and tags', async () => {
    const { LoadBalancerArn } = await createBalancer({ Tags: [{ Key: 'a', Value: '1' }] });
    const set = async (Key: string, Value: string) =>
      await call('ModifyLoadBalancerAttributes', { LoadBalancerArn, Attributes: [{ Key, Value }] });
    await set('load_balancing.cross_zone.enabled', 'true');
    assert.equal((await published()).balancers[0]!.crossesZones, true);
    await assert.rejects(set('nothing', 'x'), refused('ValidationError'));
    await set('deletion_protection.enabled', 'true');
    await assert.rejects(call('DeleteLoadBalancer', { LoadBalancerArn }), refused('OperationNotPermittedException'));
    await call('AddTags', { ResourceArns: [LoadBalancerArn], Tags: [{ Key: 'b', Value: '2' }] });
    await call('RemoveTags', { ResourceArns: [LoadBalancerArn], TagKeys: ['a'] });
    const { TagDescriptions } = await call('DescribeTags', { ResourceArns: [LoadBalancerArn] });
    assert.deepEqual(TagDescriptions[0].Tags, [{ Key: 'b', Value: '2' }]);
  });

  test('other groups are those of the addresses too', async () => {
    const records = networkRecords(store);
    const group = (await records.securityGroups.list())[0]!.value;
    const other = { ...group, id: 'sg-other', name: 'other' };
    await records.securityGroups.create(`${account}/${region}/sg-other`, other);
    const { LoadBalancerArn } = await createBalancer({ SecurityGroups: [group.id] });
    await call('SetSecurityGroups', { LoadBalancerArn, SecurityGroups: ['sg-other'] });
    assert.deepEqual((await published()).balancers[0]!.securityGroupIds, ['sg-other']);
    const [eni] = await records.networkInterfaces.list();
    assert.deepEqual(eni!.value.securityGroupIds, ['sg-other']);
    const bare = await createBalancer({ Name: 'bare' });
    const setting = call('SetSecurityGroups', { LoadBalancerArn: bare.LoadBalancerArn, SecurityGroups: ['sg-other'] });
    await assert.rejects(setting, refused('InvalidConfigurationRequestException'));
  });

  test('lists come in pages', async () => {
    for (const Name of ['a', 'b', 'c']) await createBalancer({ Name });
    const first = await call('DescribeLoadBalancers', { PageSize: 2 });
    const second = await call('DescribeLoadBalancers', { PageSize: 2, Marker: first.NextMarker });
    const names = [...first.LoadBalancers, ...second.LoadBalancers].map((each: Answer) => each.LoadBalancerName);
    assert.deepEqual(names, ['a', 'b', 'c']);
    assert.equal(second.NextMarker, undefined);
  });

  test('a service of a cluster gets what it wants, again and again, and nothing stays', async () => {
    const wanted = {
      ...scope,
      name: 'k8s0123456789abcdef',
      scheme: 'internet-facing' as const,
      subnets: subnets.map(({ id }) => ({ subnetId: id })),
      securityGroupIds: [(await networkRecords(store).securityGroups.list())[0]!.value.id],
      tags: { 'kubernetes.io/service-name': 'default/web' },
      ports: [{ protocol: 'TCP' as const, port: 80, targets: [{ id: addressIn(subnets[0]!), port: 8080 }] }],
    };
    const { hostname, addresses } = await elbv2.balancers.ensure(wanted);
    assert.match(hostname, /^k8s0123456789abcdef-/);
    assert.equal(addresses.length, subnets.length);
    assert.equal((await published()).balancers[0]!.crossesZones, true, 'every address leads to every pod');
    assert.deepEqual(await elbv2.balancers.ensure(wanted), { hostname, addresses });
    const other = { protocol: 'TCP' as const, port: 443, targets: [] };
    await elbv2.balancers.ensure({ ...wanted, ports: [...wanted.ports, other] });
    assert.deepEqual(
      (await published()).balancers[0]!.listeners.map(({ port }) => port),
      [80, 443],
    );
    await elbv2.balancers.ensure({ ...wanted, ports: [other] });
    assert.equal((await published()).groups.length, 1);
    const withAttribute = async (Key: string, Value: string) =>
      await elbv2.balancers.ensure({ ...wanted, ports: [{ ...other, attributes: [{ Key, Value }] }] });
    await withAttribute('preserve_client_ip.enabled', 'true');
    assert.equal((await published()).groups[0]!.preservesClientIp, true);
    await assert.rejects(withAttribute('proxy_protocol_v2.enabled', 'true'), refused('UnsupportedOperation', 501));
    await assert.rejects(withAttribute('none', 'true'), /'none' is not recognized/);
    const checked = { protocol: 'HTTP' as const, port: '8081', path: '/ready', matcher: '200', intervalS: 10 };
    await elbv2.balancers.ensure({ ...wanted, ports: [{ ...other, healthCheck: { ...checked, timeoutS: 3 } }] });
    const { healthCheck } = (await published()).groups[0]!;
    assert.deepEqual([healthCheck.port, healthCheck.path, healthCheck.matcher], [8081, '/ready', '200']);
    assert.deepEqual([healthCheck.intervalS, healthCheck.timeoutS, healthCheck.healthyThreshold], [10, 3, 2]);
    const crossing = { Key: 'load_balancing.cross_zone.enabled', Value: 'false' };
    await elbv2.balancers.ensure({ ...wanted, ports: [other], attributes: [crossing] });
    assert.equal((await published()).balancers[0]!.crossesZones, false);
    await elbv2.balancers.ensure({ ...wanted, scheme: 'internal' });
    assert.deepEqual(
      (await published()).balancers[0]!.zones.map(({ publicIp }) => publicIp),
      subnets.map(() => undefined),
    );
    await elbv2.balancers.delete(scope, wanted.name);
    await elbv2.balancers.delete(scope, wanted.name);
    assert.deepEqual(await published(), { balancers: [], groups: [] });
  });
});
