import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import { nodeRecords } from '#node';
import { memoryStore, type Operation, type Store, type Transaction } from '#store';
import { account, callContext, caller, refused, region, type Answer } from '../../test-calls.ts';
import { createEc2, lightImageId } from '../index.ts';

const instanceType = process.arch === 'arm64' ? 't4g.small' : 't3.small';

describe('launch templates', () => {
  let ec2: ReturnType<typeof createEc2>;
  let store: Store;
  const call = caller(() => ec2.definition);
  const named = { LaunchTemplateName: 'web' };
  const data = (more: object = {}) => ({ ImageId: lightImageId, InstanceType: instanceType, ...more });
  const create = async (more: object = {}) =>
    (await call('CreateLaunchTemplate', { ...named, LaunchTemplateData: data(more) })).LaunchTemplate;

  beforeEach(async () => {
    store = memoryStore();
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

  test('user data has 16 KB, counted before they are encoded', async () => {
    const UserData = (bytes: number) => Buffer.alloc(bytes, 'x').toString('base64');
    const tooLarge = 'User data is limited to 16384 bytes';
    await assert.rejects(create({ UserData: UserData(16_385) }), refused('InvalidUserData.Malformed', tooLarge));
    await assert.rejects(create({ UserData: '#!/bin/sh' }), refused('InvalidUserData.Malformed', 'BASE64'));
    const run = { ImageId: lightImageId, MinCount: 1, MaxCount: 1, UserData: UserData(16_385) };
    await assert.rejects(call('RunInstances', run), refused('InvalidParameterValue', tooLarge));
    await create({ UserData: UserData(16_384) });
  });

  test('a version is one record, written once', async () => {
    const { LaunchTemplateId } = await create();
    const UserData = Buffer.alloc(16_000, 'x').toString('base64');
    for (let version = 2; version <= 20; version++)
      await call('CreateLaunchTemplateVersion', { ...named, LaunchTemplateData: data({ UserData }) });
    const { entries } = await store.list('ec2/launch-template');
    assert.ok(Math.max(...entries.map(({ value }) => value.length)) < 30_000);
    const of = entries.filter(({ key }) => key.includes(`${LaunchTemplateId}/`));
    assert.equal(of.length, 20);
    assert.ok(of.every(({ version }) => version === 1));
    await call('DeleteLaunchTemplate', named);
    assert.equal((await store.list('ec2/launch-template')).entries.length, 0);
  });

  const put = (key: string, value: object): Operation => ({
    kind: 'put',
    key: `ec2/${key}`,
    value: Buffer.from(JSON.stringify(value)),
  });

  /** Writes of a template from when its versions were part of it. */
  function older(tags: object = {}): readonly Operation[] {
    const id = 'lt-0123456789abcdef0';
    const record = {
      id,
      tenant: account,
      region,
      tags,
      createdAt: 0,
      createdBy: 'u',
      name: 'web',
      defaultVersion: 1,
      latestVersion: 4,
      versions: [1, 3].map((number) => ({ number, createdAt: 0, createdBy: 'u', data: data() })),
    };
    return [
      put(`launch-templates/${account}/${region}/${id}`, record),
      put(`launch-template-names/${account}/${region}/web`, { id }),
    ];
  }

  test('a template from when its versions were part of it goes on', async () => {
    await store.txn({ success: older() });
    const { LaunchTemplates } = await call('DescribeLaunchTemplates');
    assert.equal(LaunchTemplates[0].LatestVersionNumber, 3);
    const made = await call('CreateLaunchTemplateVersion', { ...named, SourceVersion: '3', LaunchTemplateData: {} });
    assert.equal(made.LaunchTemplateVersion.VersionNumber, 5);
    const all = await call('DescribeLaunchTemplateVersions', named);
    assert.deepEqual(
      all.LaunchTemplateVersions.map(({ VersionNumber }: Answer) => VersionNumber),
      [5, 3, 1],
    );
  });

  test('one that gets a tag while it is brought up to date has both', async (t) => {
    // The default VPC is made before anything is found.
    await call('DescribeVpcs');
    await store.txn({ success: older() });
    const write = store.txn.bind(store);
    const faster = async (transaction: Transaction) => {
      await write({ success: older({ team: 'a' }) });
      return await write(transaction);
    };
    t.mock.method(store, 'txn', faster, { times: 1 });
    const [found] = (await call('DescribeLaunchTemplates')).LaunchTemplates;
    assert.deepEqual([found.LatestVersionNumber, found.Tags], [3, [{ Key: 'team', Value: 'a' }]]);
  });

  test('versions that are made at once get numbers of their own', async () => {
    await create();
    const made = await Promise.all(
      Array.from({ length: 8 }, () => call('CreateLaunchTemplateVersion', { ...named, LaunchTemplateData: data() })),
    );
    const numbers = made.map(({ LaunchTemplateVersion }) => LaunchTemplateVersion.VersionNumber).sort((a, b) => a - b);
    assert.deepEqual(numbers, [2, 3, 4, 5, 6, 7, 8, 9]);
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
