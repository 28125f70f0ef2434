import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import { nodeRecords } from '#node';
import { memoryStore } from '#store';
import { callContext, caller, refused, type Answer } from '../../test-calls.ts';
import { createEc2, lightImageId } from '../index.ts';

const instanceType = process.arch === 'arm64' ? 't4g.small' : 't3.small';

describe('launch templates', () => {
  let ec2: ReturnType<typeof createEc2>;
  const call = caller(() => ec2.definition);
  const named = { LaunchTemplateName: 'web' };
  const data = (more: object = {}) => ({ ImageId: lightImageId, InstanceType: instanceType, ...more });
  const create = async (more: object = {}) =>
    (await call('CreateLaunchTemplate', { ...named, LaunchTemplateData: data(more) })).LaunchTemplate;

  beforeEach(async () => {
    const store = memoryStore();
    ec2 = createEc2({
      store,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      publicCidr: '198.18.0.0/16',
    });
    for (const zoneLetter of ['a', 'b', 'c']) {
      const id = `m-${zoneLetter}`;
      const node = { id, machineId: 'm', zoneLetter, cpuUnits: 4096, memoryMiB: 4096, startedAt: 0 };
      await nodeRecords(store).nodes.create(id, node);
    }
  });

  test('versions follow one another, and one of them is the default', async () => {
    const { LaunchTemplateId, DefaultVersionNumber, LatestVersionNumber } = await create();
    assert.deepEqual([DefaultVersionNumber, LatestVersionNumber], [1, 1]);
    const { LaunchTemplateVersion: second } = await call('CreateLaunchTemplateVersion', {
      LaunchTemplateId,
      SourceVersion: '1',
      LaunchTemplateData: { MetadataOptions: { HttpPutResponseHopLimit: 2 } },
    });
    assert.deepEqual([second.VersionNumber, second.LaunchTemplateData.InstanceType], [2, instanceType]);
    const versions = async (wanted?: readonly string[]) =>
      (await call('DescribeLaunchTemplateVersions', { ...named, Versions: wanted })).LaunchTemplateVersions.map(
        ({ VersionNumber }: Answer) => VersionNumber,
      );
    assert.deepEqual(await versions(), [2, 1]);
    assert.deepEqual(await versions(['$Latest']), [2]);
    assert.deepEqual(await versions(['$Default']), [1]);
    await call('ModifyLaunchTemplate', { ...named, DefaultVersion: '2' });
    assert.deepEqual(await versions(['$Default']), [2]);
    const gone = await call('DeleteLaunchTemplateVersions', { ...named, Versions: ['1', '2', '7'] });
    assert.deepEqual(
      gone.UnsuccessfullyDeletedLaunchTemplateVersions.map(({ ResponseError }: Answer) => ResponseError.Code),
      ['unexpectedError', 'launchTemplateVersionDoesNotExist'],
    );
    assert.deepEqual(await versions(), [2]);
  });

  test('the latest version is the last of those that are left, and no number is given twice', async () => {
    await create();
    const more = async () =>
      (await call('CreateLaunchTemplateVersion', { ...named, LaunchTemplateData: data() })).LaunchTemplateVersion
        .VersionNumber;
    assert.equal(await more(), 2);
    await call('DeleteLaunchTemplateVersions', { ...named, Versions: ['2'] });
    const { LaunchTemplates } = await call('DescribeLaunchTemplates', { LaunchTemplateNames: ['web'] });
    assert.equal(LaunchTemplates[0].LatestVersionNumber, 1);
    const { Instances } = await call('RunInstances', {
      LaunchTemplate: { ...named, Version: '$Latest' },
      MinCount: 1,
      MaxCount: 1,
    });
    assert.equal(Instances[0].InstanceType, instanceType);
    assert.equal(await more(), 3);
  });

  test('a name is one template; what is not there is said', async () => {
    await create();
    await assert.rejects(create(), refused('InvalidLaunchTemplateName.AlreadyExistsException'));
    await assert.rejects(
      call('CreateLaunchTemplate', { ...named, LaunchTemplateData: {} }),
      refused('MissingParameter'),
    );
    await call('DeleteLaunchTemplate', named);
    await assert.rejects(
      call('DescribeLaunchTemplateVersions', named),
      refused('InvalidLaunchTemplateName.NotFoundException'),
    );
    const id = { LaunchTemplateId: 'lt-0123456789abcdef0' };
    await assert.rejects(call('ModifyLaunchTemplate', id), refused('InvalidLaunchTemplateId.NotFound'));
    await create();
  });

  test('an instance is as its template says, and as the call says beyond it', async () => {
    const tags = (Key: string, Value: string) => [{ ResourceType: 'instance', Tags: [{ Key, Value }] }];
    await create({ TagSpecifications: tags('from', 'template'), MetadataOptions: { HttpTokens: 'optional' } });
    const { Instances } = await call('RunInstances', {
      LaunchTemplate: named,
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: tags('by', 'call'),
    });
    assert.equal(Instances[0].InstanceType, instanceType);
    assert.equal(Instances[0].MetadataOptions.HttpTokens, 'optional');
    assert.deepEqual(Instances[0].Tags, [
      { Key: 'by', Value: 'call' },
      { Key: 'from', Value: 'template' },
    ]);
    await call('CreateLaunchTemplateVersion', { ...named, LaunchTemplateData: data({ UserData: 'ZWNobw==' }) });
    const latest = { ...named, Version: '$Latest' };
    const launch = async () => await call('RunInstances', { LaunchTemplate: latest, MinCount: 1, MaxCount: 1 });
    await assert.rejects(launch(), /UserData/);
    const requirements = { InstanceRequirements: { VCpuCount: { Min: 64 } } };
    await call('CreateLaunchTemplateVersion', { ...named, LaunchTemplateData: requirements });
    await assert.rejects(launch(), /InstanceRequirements/);
  });

  test('permission is asked for the template however it is named', async () => {
    const { LaunchTemplateId: id } = await create();
    const needed = async (operation: string, input: object) => {
      const resolved = await ec2.definition.resolve!(operation, input, callContext());
      const permissions = await ec2.definition.permissions!(operation, resolved, callContext());
      return permissions.map(({ action, resources }) => [action, resources[0]!.split('/')[1]]);
    };
    for (const operation of ['CreateLaunchTemplateVersion', 'ModifyLaunchTemplate', 'DeleteLaunchTemplate'])
      for (const input of [named, { LaunchTemplateId: id }])
        assert.deepEqual(await needed(operation, input), [[`ec2:${operation}`, id]]);
    const other = { LaunchTemplateName: 'none' };
    await assert.rejects(needed('DeleteLaunchTemplate', other), refused('InvalidLaunchTemplateName.NotFoundException'));
  });
});
