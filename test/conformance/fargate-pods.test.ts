/** Pods of a Fargate profile, with unmodified aws and kubectl: a node of their own for each, in private subnets, that goes with them. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Cluster, noKubectl } from '../harness/cluster.ts';
import { busybox, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

suite('pods of Fargate', { skip: noKubectl, timeout: 960_000 }, () => {
  let dabba: Dabba;
  let cluster: Cluster;
  let role: string;

  before(async () => {
    dabba = await Dabba.withBusybox();
    cluster = await Cluster.create(dabba, 'c1');
    const Principal = { Service: 'eks-fargate-pods.amazonaws.com' };
    role = await dabba.role('exec', { Principal, Action: 'sts:AssumeRole' });
    const policy = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';
    await dabba.aws('iam', 'attach-role-policy', '--role-name', 'exec', '--policy-arn', policy);
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const privateSubnets = async () => {
    const vpc = await dabba.aws('ec2', 'describe-vpcs', '--query', 'Vpcs[0].VpcId');
    const table = await dabba.aws('ec2', 'create-route-table', '--vpc-id', vpc, '--query', 'RouteTable.RouteTableId');
    const subnets: string[] = [];
    for (const [letter, third] of [
      ['a', 96],
      ['b', 97],
    ] as const) {
      const place = ['--vpc-id', vpc, '--availability-zone', `us-east-1${letter}`];
      const block = ['--cidr-block', `172.31.${third}.0/24`];
      const subnet = await dabba.aws('ec2', 'create-subnet', ...place, ...block, '--query', 'Subnet.SubnetId');
      await dabba.aws('ec2', 'associate-route-table', '--route-table-id', table, '--subnet-id', subnet);
      subnets.push(subnet);
    }
    return subnets;
  };
  const container = {
    name: 'c',
    image: busybox,
    command: ['sh', '-c', 'echo started; hostname > /who; exec httpd -f -p 80 -h /'],
  };
  const pod = (name: string, labels: object, spec: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { terminationGracePeriodSeconds: 0, containers: [container], ...spec },
  });
  const of = async (kind: string, name: string, path: string) =>
    await cluster.kubectl('get', kind, name, '-n', 'far', '-o', `jsonpath={${path}}`);
  const ready = async (name: string) =>
    await cluster.kubectl('wait', '-n', 'far', '--for=condition=Ready', `pod/${name}`, '--timeout=240s');
  const serverless = { tier: 'serverless' };

  test('a profile takes private subnets alone', async () => {
    const publicSubnet = await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[0].SubnetId');
    const profile = ['--cluster-name', 'c1', '--fargate-profile-name', 'fp', '--pod-execution-role-arn', role];
    const selectors = ['--selectors', 'namespace=far,labels={tier=serverless}'];
    const create = ['eks', 'create-fargate-profile', ...profile, ...selectors, '--subnets'];
    await dabba.refused('is not a private subnet', 'aws', [...create, publicSubnet]);
    await dabba.aws(...create, ...(await privateSubnets()));
    await cluster.kubectl('create', 'namespace', 'far');
  });

  test('a pod that it selects runs on a node of its own; another does not', async () => {
    const resources = { requests: { cpu: '300m', memory: '600Mi' } };
    const sized = { containers: [{ ...container, resources }] };
    await cluster.apply('far', pod('on-fargate', serverless, sized), pod('on-instance', {}));
    await Promise.all([ready('on-fargate'), ready('on-instance')]);
    const node = await of('pod', 'on-fargate', '.spec.nodeName');
    assert.match(node, /^fargate-ip-172-31-9[67]-/);
    assert.match(await of('pod', 'on-instance', '.spec.nodeName'), /^ip-/);
    assert.match(await of('pod', 'on-fargate', '.status.podIP'), /^172\.31\.9[67]\./);
    assert.equal(await of('pod', 'on-fargate', '.metadata.annotations.CapacityProvisioned'), '0.5vCPU 1GB');
    assert.equal(await of('pod', 'on-fargate', '.metadata.labels.eks\\.amazonaws\\.com/fargate-profile'), 'fp');
    assert.equal(await of('node', node, '.metadata.labels.eks\\.amazonaws\\.com/compute-type'), 'fargate');
    assert.match(await of('node', node, '.spec.taints'), /eks\.amazonaws\.com\/compute-type/);
    assert.equal(await cluster.kubectl('logs', '-n', 'far', 'on-fargate'), 'started');
    assert.equal(await cluster.kubectl('exec', '-n', 'far', 'on-fargate', '--', 'cat', '/who'), 'on-fargate');
    const reach = ['exec', '-n', 'far', 'on-instance', '--', 'timeout', '5', 'wget', '-q', '-O-'];
    assert.equal(
      await cluster.kubectl(...reach, `http://${await of('pod', 'on-fargate', '.status.podIP')}/who`),
      'on-fargate',
    );
  });

  test('a deployment is served from Fargate', async () => {
    const labels = { ...serverless, app: 'web' };
    await cluster.apply(
      'far',
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          replicas: 2,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: pod('', {}).spec },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: labels, ports: [{ port: 80 }] },
      },
    );
    await cluster.kubectl('rollout', 'status', '-n', 'far', 'deployment/web', '--timeout=360s');
    const nodes = await cluster.kubectl(
      'get',
      'pods',
      '-n',
      'far',
      '-l',
      'app=web',
      '-o',
      'jsonpath={.items[*].spec.nodeName}',
    );
    assert.equal(new Set(nodes.split(' ')).size, 2);
    const ask = 'for i in $(seq 20); do timeout 5 wget -q -O- http://web.far/who; done | sort -u | wc -l';
    assert.equal(await cluster.kubectl('exec', '-n', 'far', 'on-instance', '--', 'sh', '-c', ask), '2');
    await cluster.kubectl('delete', 'deployment/web', '-n', 'far', '--wait');
  });

  test('it says of a pod that it does not run why, and keeps daemons off', async () => {
    const privileged = { ...container, securityContext: { privileged: true } };
    await cluster.apply('far', pod('refused', serverless, { hostNetwork: true, containers: [privileged] }), {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'each' },
      spec: {
        selector: { matchLabels: { app: 'each' } },
        template: { metadata: { labels: { app: 'each', ...serverless } }, spec: pod('', {}).spec },
      },
    });
    const message =
      'Pod not supported on Fargate: fields not supported: HostNetwork, invalid SecurityContext fields: Privileged';
    const events = ['get', 'events', '-n', 'far', '--field-selector', 'involvedObject.name=refused'];
    await eventually('the pod is told', 10_000, async () => (await cluster.kubectl(...events)).includes(message));
    assert.equal(await of('pod', 'refused', '.status.phase'), 'Pending');
    await cluster.kubectl('rollout', 'status', '-n', 'far', 'daemonset/each', '--timeout=240s');
    const nodes = await cluster.kubectl(
      'get',
      'pods',
      '-n',
      'far',
      '-l',
      'app=each',
      '-o',
      'jsonpath={.items[*].spec.nodeName}',
    );
    assert.deepEqual(
      nodes.split(' ').filter((node) => !node.startsWith('ip-')),
      [],
    );
    assert.equal(nodes.split(' ').length, 2);
  });

  test('an image of a private repository is pulled with the pod execution role, if that may', async () => {
    const uri = await dabba.aws(
      'ecr',
      'create-repository',
      '--repository-name',
      'own',
      '--query',
      'repository.repositoryUri',
    );
    const password = await dabba.aws('ecr', 'get-login-password');
    const login = ['login', '--username', 'AWS', '--password-stdin', uri.split('/')[0]!];
    assert.equal((await dabba.client('docker', login, { input: password })).status, 0);
    await dabba.docker('pull', '-q', busybox);
    await dabba.docker('tag', busybox, `${uri}:1`);
    await dabba.docker('push', '-q', `${uri}:1`);
    // Nodes use what the machine has, unless they are told to pull.
    await dabba.docker('rmi', `${uri}:1`);
    const policy = [
      '--role-name',
      'exec',
      '--policy-arn',
      'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly',
    ];
    await dabba.aws('iam', 'detach-role-policy', ...policy);
    const own = { containers: [{ ...container, image: `${uri}:1` }] };
    await cluster.apply('far', pod('private', serverless, own));
    const waiting = '.status.containerStatuses[0].state.waiting.reason';
    await eventually('the pull is refused', 60_000, async () => /ImagePull/.test(await of('pod', 'private', waiting)));
    const events = ['get', 'events', '-n', 'far', '--field-selector', 'involvedObject.name=private'];
    const said = await cluster.kubectl(...events);
    assert.match(said, /assumed-role\/exec\/.*not authorized to perform: ecr:GetAuthorizationToken/);
    await dabba.aws('iam', 'attach-role-policy', ...policy);
    await ready('private');
    await cluster.kubectl('delete', 'pod', '-n', 'far', 'private', '--wait');
  });

  test('its nodes go with its pods', async () => {
    await cluster.kubectl('delete', 'pod', '-n', 'far', 'on-fargate', '--wait');
    const fargate = async () =>
      await cluster.kubectl('get', 'nodes', '-l', 'eks.amazonaws.com/compute-type=fargate', '-o', 'name');
    await eventually('its node is gone', 30_000, async () => (await fargate()) === '');
    await dabba.aws('eks', 'delete-fargate-profile', '--cluster-name', 'c1', '--fargate-profile-name', 'fp');
    await eventually(
      'the profile is gone',
      30_000,
      async () => (await dabba.aws('eks', 'list-fargate-profiles', '--cluster-name', 'c1')) === '',
    );
  });
});
