/** A VPC with the unmodified aws command line: who may put what where, and the way out through a NAT gateway. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { busybox, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

suite('a VPC', { timeout: 720_000 }, () => {
  let dabba: Dabba;
  let vpc: string;
  let open: string;
  let group: string;

  before(async () => {
    dabba = await Dabba.withBusybox();
    [vpc = '', open = ''] = (
      await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[0].[VpcId,SubnetId]')
    ).split(/\s+/);
    const named = ['--group-name', 'web', '--description', 'web', '--vpc-id', vpc];
    group = await dabba.aws('ec2', 'create-security-group', ...named, '--query', 'GroupId');
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  test('a user who may not use a subnet or a group cannot get there through an interface or a template', async () => {
    const arn = (kind: string, id: string) => `arn:aws:ec2:us-east-1:000000000000:${kind}/${id}`;
    const Statement = [
      { Effect: 'Allow', Action: 'ec2:*', Resource: '*' },
      { Effect: 'Deny', Action: 'ec2:*', Resource: [arn('subnet', open), arn('security-group', group)] },
    ];
    await dabba.aws('iam', 'create-user', '--user-name', 'u');
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    const inline = ['--policy-name', 'p', '--policy-document', policy];
    await dabba.aws('iam', 'put-user-policy', '--user-name', 'u', ...inline);
    const keys = ['--user-name', 'u', '--query', 'AccessKey.[AccessKeyId,SecretAccessKey]'];
    const [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY] = (await dabba.aws('iam', 'create-access-key', ...keys)).split(
      /\s+/,
    );
    const env = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
    const other = await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[1].SubnetId');
    const image = await dabba.aws('ec2', 'describe-images', '--query', 'Images[0].ImageId');
    const run = ['ec2', 'run-instances', '--image-id', image, '--instance-type', 't3.small', '--dry-run'];
    const card = (text: string) => [...run, '--network-interfaces', `DeviceIndex=0,${text}`];
    const refusedFor = async (what: string, args: readonly string[]) =>
      await dabba.refused(new RegExp(`UnauthorizedOperation.*${what}`), 'aws', args, env);
    await refusedFor(`subnet/${open}`, card(`SubnetId=${open}`));
    await refusedFor(`security-group/${group}`, card(`SubnetId=${other},Groups=${group}`));
    await dabba.refused('DryRunOperation', 'aws', card(`SubnetId=${other}`), env);
    const data = JSON.stringify({
      ImageId: image,
      NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: other, Groups: [group] }],
    });
    const template = ['--launch-template-name', 'web', '--launch-template-data', data];
    await dabba.aws('ec2', 'create-launch-template', ...template);
    const byTemplate = ['ec2', 'run-instances', '--launch-template', 'LaunchTemplateName=web', '--dry-run'];
    await refusedFor(`security-group/${group}`, byTemplate);
    await refusedFor(`security-group/${group}`, ['ec2', 'delete-security-group', '--group-name', 'web', '--dry-run']);
  });

  test('what is in a private subnet reaches out through a NAT gateway, as its address', async () => {
    const ids = (kind: string, ...args: readonly string[]) => dabba.aws('ec2', ...args, '--query', kind);
    const place = ['--vpc-id', vpc, '--cidr-block', '172.31.96.0/24', '--availability-zone', 'us-east-1a'];
    const inside = await ids('Subnet.SubnetId', 'create-subnet', ...place);
    const [allocation = '', address] = (
      await ids('[AllocationId,PublicIp]', 'allocate-address', '--domain', 'vpc')
    ).split(/\s+/);
    const at = ['--subnet-id', open, '--allocation-id', allocation];
    const nat = await ids('NatGateway.NatGatewayId', 'create-nat-gateway', ...at);
    await dabba.aws('ec2', 'wait', 'nat-gateway-available', '--nat-gateway-ids', nat);
    const table = await ids('RouteTable.RouteTableId', 'create-route-table', '--vpc-id', vpc);
    const route = ['--destination-cidr-block', '0.0.0.0/0', '--nat-gateway-id', nat];
    await dabba.aws('ec2', 'create-route', '--route-table-id', table, ...route);
    await dabba.aws('ec2', 'associate-route-table', '--route-table-id', table, '--subnet-id', inside);
    const rule = ['--protocol', 'tcp', '--port', '8080', '--cidr', '0.0.0.0/0'];
    await dabba.aws('ec2', 'authorize-security-group-ingress', '--group-id', group, ...rule);
    await dabba.aws('ecs', 'create-cluster', '--cluster-name', 'prod');
    const serving =
      'mkdir -p /srv/cgi-bin; printf \'#!/bin/sh\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n$REMOTE_ADDR"\\n\' > /srv/cgi-bin/who; chmod +x /srv/cgi-bin/who; exec httpd -f -p 8080 -h /srv';
    const server = await runTask('server', ['sh', '-c', serving], open, 'ENABLED');
    const seconds = String(10 ** 8 + Math.floor(Math.random() * 10 ** 8));
    await runTask('client', ['sleep', seconds], inside, 'DISABLED');
    const eni = `tasks[0].attachments[0].details[?name=='networkInterfaceId'].value | [0]`;
    const card = await dabba.aws('ecs', 'describe-tasks', '--cluster', 'prod', '--tasks', server, '--query', eni);
    const named = ['describe-network-interfaces', '--network-interface-ids', card];
    const publicIp = await ids('NetworkInterfaces[0].Association.PublicIp', ...named);
    const who = async () => {
      const curl = ['curl', '-s', '-m', '2', `http://${publicIp}:8080/cgi-bin/who`];
      const nsenter = ['-t', processOf(`sleep ${seconds}`), '-n', ...curl];
      const { stdout } = await promisify(execFile)('nsenter', nsenter).catch(() => ({ stdout: 'unreachable' }));
      return stdout;
    };
    await eventually('it sees the address of the gateway', 15_000, async () => (await who()).includes(address!));
    await dabba.aws('ec2', 'delete-nat-gateway', '--nat-gateway-id', nat);
    await dabba.aws('ec2', 'wait', 'nat-gateway-deleted', '--nat-gateway-ids', nat);
    await eventually('there is no way out', 15_000, async () => (await who()) === 'unreachable');
    const state = ['describe-route-tables', '--route-table-ids', table];
    assert.equal(await ids('RouteTables[0].Routes[?NatGatewayId].State | [0]', ...state), 'blackhole');
    await dabba.aws('ec2', 'release-address', '--allocation-id', allocation);
  });

  async function runTask(family: string, command: readonly string[], subnet: string, assignPublicIp: string) {
    const containers = JSON.stringify([{ name: 'c', image: busybox, command }]);
    const size = ['--cpu', '256', '--memory', '512', '--network-mode', 'awsvpc'];
    const definition = ['--family', family, '--requires-compatibilities', 'FARGATE', ...size];
    await dabba.aws('ecs', 'register-task-definition', ...definition, '--container-definitions', containers);
    const place = `awsvpcConfiguration={subnets=[${subnet}],securityGroups=[${group}],assignPublicIp=${assignPublicIp}}`;
    const run = ['--cluster', 'prod', '--launch-type', 'FARGATE', '--network-configuration', place];
    const task = await dabba.aws('ecs', 'run-task', ...run, '--task-definition', family, '--query', 'tasks[0].taskArn');
    await eventually(`${family} runs`, 30_000, async () => {
      const named = ['--cluster', 'prod', '--tasks', task, '--query', 'tasks[0].lastStatus'];
      return (await dabba.aws('ecs', 'describe-tasks', ...named)) === 'RUNNING';
    });
    return task;
  }
});

/** The one process with this command line. */
function processOf(command: string): string {
  const isIt = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean).join(' ') === command;
    } catch {
      return false; // it ended meanwhile
    }
  };
  const pid = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find(isIt);
  assert.ok(pid, `a process ${command}`);
  return pid;
}
