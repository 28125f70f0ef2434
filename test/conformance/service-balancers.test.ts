/** Services of type LoadBalancer, with unmodified kubectl and aws: whom their load balancers let in, where they are, and which nodes they ask. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Cluster, noKubectl } from '../harness/cluster.ts';
import { busybox, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

const prefix = 'service.beta.kubernetes.io/aws-load-balancer-';

suite('load balancers of services', { skip: noKubectl, timeout: 960_000 }, () => {
  let dabba: Dabba;
  let cluster: Cluster;

  before(async () => {
    dabba = await Dabba.withBusybox();
    cluster = await Cluster.create(dabba, 'c1');
    const command = ['sh', '-c', 'echo hello > /index.html; exec httpd -f -p 8080 -h /'];
    const containers = [
      { name: 'c', image: busybox, command, readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } },
    ];
    const pod = (name: string, spec: object) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec,
    });
    await cluster.apply(
      'default',
      pod('web', { terminationGracePeriodSeconds: 0, containers }),
      pod('on-host', {
        terminationGracePeriodSeconds: 0,
        hostNetwork: true,
        containers: [{ name: 'c', image: busybox, command: ['sleep', '3600'] }],
      }),
    );
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/web', 'pod/on-host', '--timeout=240s');
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const service = (name: string, annotations: { readonly [name: string]: string }, spec: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [prefix + key, value])),
    },
    spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  });
  const field = async (name: string, path: string) =>
    await cluster.kubectl('get', 'service', name, '-o', `jsonpath={${path}}`);
  const hostname = async (name: string) => {
    await eventually(
      `${name} has a load balancer`,
      30_000,
      async () => (await field(name, '.status.loadBalancer.ingress[0].hostname')) !== '',
    );
    return await field(name, '.status.loadBalancer.ingress[0].hostname');
  };
  const balancer = async (name: string, query: string) => {
    const at = await hostname(name);
    return await dabba.aws('elbv2', 'describe-load-balancers', '--query', `LoadBalancers[?DNSName=='${at}'].${query}`);
  };
  const addresses = async (name: string) =>
    (await balancer(name, 'AvailabilityZones[].LoadBalancerAddresses[].IpAddress')).split(/\s+/).filter(Boolean);
  const ask = async (address: string) =>
    (await dabba.client('curl', ['-s', '-m', '2', `http://${address}/`])).stdout.trim();
  const within = async (pod: string, url: string) =>
    await cluster.kubectl('exec', pod, '--', 'sh', '-c', `timeout 5 wget -q -O- ${url} 2>&1 || true`);

  test('nodes say whether they have a pod, and the load balancer asks them', async () => {
    await cluster.apply(
      'default',
      service('local', { 'nlb-target-type': 'instance' }, { externalTrafficPolicy: 'Local' }),
    );
    const port = await field('local', '.spec.healthCheckNodePort');
    assert.match(port, /^3\d{4}$/);
    const mine = await cluster.kubectl('get', 'pod', 'web', '-o', 'jsonpath={.status.hostIP}');
    const all = (
      await cluster.kubectl(
        'get',
        'nodes',
        '-o',
        'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}',
      )
    ).split(' ');
    const other = all.find((address) => address !== mine)!;
    await eventually('the node answers', 10_000, async () =>
      (await within('on-host', `http://${mine}:${port}/healthz`)).includes('"localEndpoints":1'),
    );
    assert.match(await within('on-host', `http://${other}:${port}/healthz`), /503/);
    const arn = await balancer('local', 'LoadBalancerArn');
    const group = await dabba.aws(
      'elbv2',
      'describe-target-groups',
      '--load-balancer-arn',
      arn,
      '--query',
      'TargetGroups[0].[TargetGroupArn,TargetType,HealthCheckPort]',
    );
    const [groupArn = '', ...facts] = group.split(/\s+/);
    assert.deepEqual(facts, ['instance', port]);
    await eventually('one node is healthy, and the other is not', 30_000, async () => {
      const states = await dabba.aws(
        'elbv2',
        'describe-target-health',
        '--target-group-arn',
        groupArn,
        '--query',
        'TargetHealthDescriptions[].TargetHealth.State',
      );
      return (
        states
          .split(/\s+/)
          .toSorted((a, b) => a.localeCompare(b))
          .join() === 'healthy,unhealthy'
      );
    });
    for (const address of await addresses('local')) assert.equal(await ask(address), 'hello');
  });

  test('an internal one is in the VPC alone', async () => {
    await cluster.apply('default', service('inside', { scheme: 'internal' }));
    assert.equal(await balancer('inside', 'Scheme'), 'internal');
    assert.deepEqual(await addresses('inside'), []);
    const at = await hostname('inside');
    await eventually('it answers inside', 20_000, async () => (await within('on-host', `http://${at}/`)) === 'hello');
    await cluster.kubectl('annotate', 'service/inside', `${prefix}scheme=internet-facing`, '--overwrite');
    await eventually(
      'it has become public',
      20_000,
      async () => (await balancer('inside', 'Scheme')) === 'internet-facing',
    );
    await eventually(
      'it answers outside',
      20_000,
      async () => (await ask((await addresses('inside'))[0] ?? '')) === 'hello',
    );
  });

  test('it has the elastic addresses that it asks for, and lets in whom the service names', async () => {
    const allocate = async () =>
      (await dabba.aws('ec2', 'allocate-address', '--query', '[AllocationId,PublicIp]')).split(/\s+/) as [
        string,
        string,
      ];
    const elastic = [await allocate(), await allocate(), await allocate()];
    const allocations = elastic.map(([id]) => id).join(',');
    const closed = { loadBalancerSourceRanges: ['192.0.2.0/24'] };
    await cluster.apply('default', service('elastic', { 'eip-allocations': allocations }, closed));
    const sorted = (list: readonly string[]) => list.toSorted((a, b) => a.localeCompare(b));
    assert.deepEqual(sorted(await addresses('elastic')), sorted(elastic.map(([, ip]) => ip)));
    assert.equal(await ask(elastic[0]![1]), '');
    await cluster.kubectl('patch', 'service/elastic', '-p', '{"spec":{"loadBalancerSourceRanges":["0.0.0.0/0"]}}');
    await eventually('everybody is let in', 20_000, async () => (await ask(elastic[0]![1])) === 'hello');
    await dabba.refused('InvalidIPAddress.InUse', 'aws', ['ec2', 'release-address', '--allocation-id', elastic[0]![0]]);
    await cluster.kubectl('delete', 'service/elastic');
    for (const [id] of elastic) await dabba.aws('ec2', 'release-address', '--allocation-id', id);
  });

  test('groups of its own, and what cannot be had, are by annotation', async () => {
    const vpc = await dabba.aws('ec2', 'describe-vpcs', '--query', 'Vpcs[0].VpcId');
    const named = ['--group-name', 'front', '--description', 'front', '--vpc-id', vpc];
    const group = await dabba.aws('ec2', 'create-security-group', ...named, '--query', 'GroupId');
    await cluster.apply(
      'default',
      service('guarded', { 'security-groups': group }),
      service('tls', { 'ssl-cert': 'arn:aws:acm:::certificate/1' }),
    );
    assert.match(await balancer('guarded', 'SecurityGroups'), new RegExp(group));
    assert.equal(await ask((await addresses('guarded'))[0]!), '');
    await dabba.aws(
      'ec2',
      'authorize-security-group-ingress',
      '--group-id',
      group,
      '--protocol',
      'tcp',
      '--port',
      '80',
      '--cidr',
      '0.0.0.0/0',
    );
    await eventually(
      'the group lets in',
      20_000,
      async () => (await ask((await addresses('guarded'))[0]!)) === 'hello',
    );
    const events = ['get', 'events', '--field-selector', 'involvedObject.name=tls'];
    await eventually('it is said', 10_000, async () =>
      (await cluster.kubectl(...events)).includes(`${prefix}ssl-cert is not supported`),
    );
  });
});
