/** Node groups by a launch template, with unmodified aws and kubectl: what the template says holds on the nodes, and a new version of it replaces them with their pods moved. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Cluster, noKubectl } from '../harness/cluster.ts';
import { busybox, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

suite('node groups', { skip: noKubectl, timeout: 960_000 }, () => {
  let dabba: Dabba;
  let cluster: Cluster;

  before(async () => {
    dabba = await Dabba.withBusybox();
    cluster = await Cluster.create(dabba, 'c1');
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const named = ['--cluster-name', 'c1', '--nodegroup-name', 'special'];
  const groupIs = async (query: string, wanted: string) =>
    await eventually(`${query} is ${wanted}`, 60_000, async () => {
      const described = await dabba.aws('eks', 'describe-nodegroup', ...named, '--query', `nodegroup.${query}`);
      return described === wanted;
    });
  const instances = async (query: string) =>
    await dabba.aws(
      'ec2',
      'describe-instances',
      '--filters',
      'Name=tag:eks:nodegroup-name,Values=special',
      'Name=instance-state-name,Values=running',
      '--query',
      `Reservations[].Instances[].${query}`,
    );
  const nodeOf = async () =>
    await cluster.kubectl(
      'get',
      'pods',
      '-l',
      'app=special',
      '--field-selector=status.phase=Running',
      '-o',
      'jsonpath={.items[*].spec.nodeName}',
    );

  test('a group is as its launch template and its taints say', async () => {
    const data = {
      InstanceType: 't3.medium',
      MetadataOptions: { HttpPutResponseHopLimit: 2, InstanceMetadataTags: 'enabled' },
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'team', Value: 'a' }] }],
    };
    const template = ['--launch-template-name', 'nodes', '--launch-template-data'];
    await dabba.aws('ec2', 'create-launch-template', ...template, JSON.stringify(data));
    const subnets = (await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[].SubnetId')).split(/\s+/);
    const role = 'arn:aws:iam::000000000000:role/c1';
    const size = 'minSize=1,maxSize=2,desiredSize=1';
    const create = [
      'eks',
      'create-nodegroup',
      ...named,
      '--node-role',
      role,
      '--subnets',
      ...subnets,
      '--scaling-config',
      size,
    ];
    const taint = ['--taints', 'key=only,value=special,effect=NO_SCHEDULE', '--labels', 'tier=special'];
    await dabba.refused('in both', 'aws', [
      ...create,
      '--launch-template',
      'name=nodes',
      '--instance-types',
      't3.small',
    ]);
    await dabba.aws(...create, ...taint, '--launch-template', 'name=nodes', '--update-config', 'maxUnavailable=1');
    await groupIs('status', 'ACTIVE');
    assert.equal(await instances('[InstanceType,MetadataOptions.HttpPutResponseHopLimit]'), 't3.medium\t2');
    const spec = {
      terminationGracePeriodSeconds: 0,
      nodeSelector: { tier: 'special' },
      tolerations: [{ key: 'only', operator: 'Equal', value: 'special', effect: 'NoSchedule' }],
      containers: [{ name: 'c', image: busybox, command: ['sleep', '3600'] }],
    };
    const labels = { app: 'special' };
    await cluster.apply(
      'default',
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'special' },
        spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'plain' },
        spec: { ...spec, nodeSelector: {}, tolerations: [] },
      },
    );
    await cluster.kubectl('rollout', 'status', 'deployment/special', '--timeout=240s');
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/plain', '--timeout=240s');
    const tainted = await cluster.kubectl(
      'get',
      'nodes',
      '-l',
      'tier=special',
      '-o',
      'jsonpath={.items[*].metadata.name}',
    );
    assert.equal(await nodeOf(), tainted);
    assert.notEqual(await cluster.kubectl('get', 'pod', 'plain', '-o', 'jsonpath={.spec.nodeName}'), tainted);
    const question = 'PUT /latest/api/token HTTP/1.0\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n';
    const script = `T=$(printf '${question}' | nc 169.254.169.254 80 | tail -n 1); wget -q -O- --header "X-aws-ec2-metadata-token: $T" http://169.254.169.254/latest/meta-data/tags/instance/team`;
    assert.equal(await cluster.kubectl('exec', 'deployment/special', '--', 'sh', '-c', script), 'a');
  });

  test('a new version of the template replaces the node, its pods moved first', async () => {
    const before = await nodeOf();
    const version = ['--launch-template-name', 'nodes', '--source-version', '1', '--launch-template-data'];
    await dabba.aws('ec2', 'create-launch-template-version', ...version, '{"InstanceType":"t3.small"}');
    const id = await dabba.aws(
      'eks',
      'update-nodegroup-version',
      ...named,
      '--launch-template',
      'name=nodes,version=2',
      '--query',
      'update.id',
    );
    await eventually('the update is done', 90_000, async () => {
      const told = await dabba.aws(
        'eks',
        'describe-update',
        '--name',
        'c1',
        '--nodegroup-name',
        'special',
        '--update-id',
        id,
        '--query',
        'update.status',
      );
      return told === 'Successful';
    });
    assert.equal(
      await dabba.aws('eks', 'describe-nodegroup', ...named, '--query', 'nodegroup.launchTemplate.version'),
      '2',
    );
    assert.equal(await instances('InstanceType'), 't3.small');
    await cluster.kubectl('rollout', 'status', 'deployment/special', '--timeout=240s');
    assert.notEqual(await nodeOf(), before);
    assert.equal(await cluster.kubectl('get', 'node', before, '--ignore-not-found', '-o', 'name'), '');
  });

  test('what nodes here cannot run is refused by its name', async () => {
    const data = JSON.stringify({ UserData: Buffer.from('#!/bin/sh').toString('base64') });
    const version = ['--launch-template-name', 'nodes', '--source-version', '1', '--launch-template-data', data];
    await dabba.aws('ec2', 'create-launch-template-version', ...version);
    const update = ['eks', 'update-nodegroup-version', ...named, '--launch-template', 'name=nodes,version=3'];
    await dabba.refused('UserData of the launch template nodes', 'aws', update);
  });
});
