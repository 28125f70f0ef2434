import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import { networkRecords } from '#network';
import { instanceRecords, nodeRecords } from '#node';
import { memoryStore, type Store } from '#store';
import { account, type Answer, caller, callRemembered, refused, region } from '../test-calls.ts';
import { createEc2, type Instances } from './index.ts';
import { lightImageId } from './images.ts';

const instanceType = process.arch === 'arm64' ? 't4g.small' : 't3.small';

describe('ec2 instances', () => {
  let store: Store;
  let ec2: ReturnType<typeof createEc2>;

  const call = caller(() => ec2.definition);
  const run = async (input: object = {}) =>
    (
      await call('RunInstances', {
        ImageId: lightImageId,
        InstanceType: instanceType,
        MinCount: 1,
        MaxCount: 1,
        ...input,
      })
    ).Instances;
  const stateOf = async (id: string) =>
    (await call('DescribeInstances', { InstanceIds: [id] })).Reservations[0].Instances[0].State.Name;
  /** One step of the reconciler for the instance, after the machine has done what its records say. */
  const step = async (id: string) => {
    const { specs, statuses } = instanceRecords(store);
    const wanted = await specs.list();
    for (const { id: key, value } of wanted)
      await store.txn({ success: [statuses.put(key, { ...value, phase: 'running' })] });
    for (const { id: key } of await statuses.list())
      if (!wanted.some((spec) => spec.id === key)) await statuses.delete(key);
    await ec2.reconcilers[0]!.reconcile(`${account}/${region}/${id}`, AbortSignal.timeout(1000));
  };

  beforeEach(async () => {
    store = memoryStore();
    const common = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
    ec2 = createEc2({ ...common, publicCidr: '198.18.0.0/16' });
    for (const zoneLetter of ['a', 'b', 'c'])
      await nodeRecords(store).nodes.create(`m-${zoneLetter}`, {
        id: `m-${zoneLetter}`,
        zoneLetter,
        cpuUnits: 4096,
        memoryMiB: 2048,
        machineId: 'm',
        startedAt: 0,
      });
  });

  test('an instance goes through its states as its machine follows, and gives its address back', async () => {
    const [instance] = await run({ MaxCount: 2 });
    assert.equal(instance.State.Name, 'pending');
    assert.match(instance.PrivateDnsName, /^ip-172-31-.*\.ec2\.internal$/);
    const id = instance.InstanceId;
    await step(id);
    assert.equal(await stateOf(id), 'running');
    await call('StopInstances', { InstanceIds: [id] });
    await step(id);
    await step(id);
    assert.equal(await stateOf(id), 'stopped');
    await call('StartInstances', { InstanceIds: [id] });
    await step(id);
    await step(id);
    assert.equal(await stateOf(id), 'running');
    const ended = (await call('TerminateInstances', { InstanceIds: [id] })).TerminatingInstances[0];
    assert.deepEqual([ended.PreviousState.Name, ended.CurrentState.Name], ['running', 'shutting-down']);
    await step(id);
    await step(id);
    assert.equal(await stateOf(id), 'terminated');
    const left = await networkRecords(store).networkInterfaces.list();
    assert.equal(left.length, 1, 'that of the other instance');
  });

  test('what an instance cannot have is refused', async () => {
    await assert.rejects(run({ ImageId: 'ami-12345678' }), refused('InvalidAMIID.NotFound'));
    await assert.rejects(run({ InstanceType: 'z9.huge' }), refused('InvalidInstanceType'));
    await assert.rejects(
      run({ InstanceType: instanceType.replace('small', '2xlarge') }),
      refused('InsufficientInstanceCapacity'),
    );
    await assert.rejects(run({ UserData: 'eA==' }), refused('UnsupportedOperation'));
    for (const choice of [
      { DisableApiStop: true },
      { InstanceInitiatedShutdownBehavior: 'terminate' },
      { CreditSpecification: { CpuCredits: 'standard' } },
    ])
      await assert.rejects(run(choice), refused('UnsupportedOperation'));
    for (const placement of [{ GroupName: 'g' }, { Tenancy: 'dedicated' }])
      await assert.rejects(run({ Placement: placement }), refused('UnsupportedOperation', 'Placement.'));
    await assert.rejects(run({ IamInstanceProfile: { Name: 'none' } }), refused('InvalidParameterValue'));
    const [held] = await run({ DisableApiTermination: true });
    await assert.rejects(
      call('TerminateInstances', { InstanceIds: [held.InstanceId] }),
      refused('OperationNotPermitted'),
    );
  });

  test('attributes are read and changed, and an elastic address is shown', async () => {
    const [{ InstanceId }] = await run();
    const read = async (Attribute: string) => await call('DescribeInstanceAttribute', { InstanceId, Attribute });
    assert.equal((await read('disableApiTermination')).DisableApiTermination.Value, false);
    const { GroupId } = await call('CreateSecurityGroup', { GroupName: 'web', Description: 'web' });
    const DisableApiTermination = { Value: true };
    await call('ModifyInstanceAttribute', { InstanceId, DisableApiTermination });
    await call('ModifyInstanceAttribute', { InstanceId, Groups: [GroupId] });
    const [optimized] = await run({ EbsOptimized: true });
    const askedFor = { InstanceId: optimized.InstanceId, Attribute: 'ebsOptimized' };
    assert.equal(optimized.EbsOptimized, true);
    assert.equal((await call('DescribeInstanceAttribute', askedFor)).EbsOptimized.Value, true);
    assert.equal((await read('ebsOptimized')).EbsOptimized.Value, false);
    assert.equal((await read('disableApiTermination')).DisableApiTermination.Value, true);
    assert.deepEqual((await read('groupSet')).Groups, [{ GroupId }]);
    await assert.rejects(
      call('ModifyInstanceAttribute', { InstanceId, InstanceType: { Value: 't3.large' } }),
      refused('UnsupportedOperation', 'InstanceType'),
    );
    await assert.rejects(call('DeleteSecurityGroup', { GroupId }), refused('DependencyViolation'));
    const { AllocationId, PublicIp } = await call('AllocateAddress');
    await call('AssociateAddress', { AllocationId, InstanceId });
    const { Reservations } = await call('DescribeInstances', { Filters: [{ Name: 'ip-address', Values: [PublicIp] }] });
    assert.equal(Reservations[0].Instances[0].PublicIpAddress, PublicIp);
  });

  test('types are offered in every zone, and no instance is held to credits', async () => {
    const Filters = [{ Name: 'instance-type', Values: [instanceType] }];
    const asked = { LocationType: 'availability-zone', Filters };
    const { InstanceTypeOfferings } = await call('DescribeInstanceTypeOfferings', asked);
    assert.deepEqual(
      InstanceTypeOfferings.map(({ Location }: Answer) => Location),
      ['us-east-1a', 'us-east-1b', 'us-east-1c'],
    );
    const [{ InstanceId }] = await run();
    const specified = await call('DescribeInstanceCreditSpecifications', { InstanceIds: [InstanceId] });
    assert.deepEqual(specified.InstanceCreditSpecifications, [{ InstanceId, CpuCredits: 'unlimited' }]);
  });

  test('instances are made together with the answer of their client token', async () => {
    const input = { ImageId: lightImageId, InstanceType: instanceType, MinCount: 2, MaxCount: 2, ClientToken: 'once' };
    const asked = { operation: 'RunInstances', input, prefix: 'ec2/instances/' };
    const { Instances } = await callRemembered(store, () => ec2.definition, asked);
    assert.deepEqual(
      Instances.map(({ ClientToken }: Answer) => ClientToken),
      ['once', 'once'],
    );
  });

  test('a service makes instances together with what they are for', async () => {
    const { instances }: { readonly instances: Instances } = ec2;
    await ec2.network.ensureDefaultVpc({ account, region });
    const [subnet] = await networkRecords(store).subnets.list();
    const { instance, compare, success } = await instances.plan({
      account,
      region,
      instanceType,
      subnetId: subnet!.value.id,
      tags: { Name: 'n' },
      managedBy: 'eks',
    });
    assert.ok((await store.txn({ compare, success })).succeeded);
    const [found] = (await call('DescribeInstances', { Filters: [{ Name: 'tag:Name', Values: ['n'] }] })).Reservations;
    assert.equal(found.Instances[0].InstanceId, instance.id);
    assert.deepEqual(found.Instances[0].Operator, { Managed: true, Principal: 'eks.amazonaws.com' });
  });
});
