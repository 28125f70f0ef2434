/** EKS with unmodified aws and kubectl: from nothing to a workload that is scaled, reached, healed, refused and survives its daemon. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { Cluster, noKubectl } from '../harness/cluster.ts';
import { busybox, Dabba, freePort, isAwsTooOld } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

suite('kubernetes', { skip: noKubectl, timeout: 960_000 }, () => {
  let dabba: Dabba;
  let cluster: Cluster;

  before(async () => {
    dabba = await Dabba.withBusybox();
    cluster = await Cluster.create(dabba, 'c1');
  });
  after(async () => {
    await dabba[Symbol.asyncDispose]();
  });

  /** Pods that do next to nothing when told to end would be waited for. */
  const pod = (spec: object) => ({ terminationGracePeriodSeconds: 0, ...spec });
  const sleeper = { name: 'c', image: busybox, command: ['sleep', '3600'] };
  const ready = async (what: string, namespace = 'default') =>
    await cluster.kubectl('wait', '-n', namespace, '--for=condition=Ready', what, '--timeout=240s');

  test('nodes are instances in several zones, and the creator is administrator under its own ARN', async () => {
    const zones = await cluster.kubectl(
      'get',
      'nodes',
      '-o',
      'jsonpath={.items[*].metadata.labels.topology\\.kubernetes\\.io/zone}',
    );
    assert.equal(new Set(zones.split(' ')).size, 2);
    assert.match(await cluster.kubectl('auth', 'whoami', '-o', 'yaml'), /username: arn:aws:iam::000000000000:root/);
    assert.equal(await cluster.kubectl('auth', 'can-i', '*', '*'), 'yes');
    const status = await dabba.command('status');
    const { KUBECONFIG } = JSON.parse((await dabba.command('env', ['--json'])).stdout) as {
      readonly KUBECONFIG: string;
    };
    const seen = await dabba.client('kubectl', ['get', 'nodes', '-o', 'name'], { env: { KUBECONFIG } });
    assert.equal(seen.stdout.trim().split('\n').length, 2, 'by the environment of dabba env alone');
    assert.match(status.stdout, /c1 {2}ACTIVE {2}https:\/\/127\.0\.0\.1:\d+ {2}2\/2 nodes ready/);
  });

  test('a deployment is rolled out, reached by its service, updated, undone and healed', async () => {
    const labels = { app: 'web' };
    const container = {
      name: 'web',
      image: busybox,
      command: ['sh', '-c', 'echo started; hostname > /srv/who; exec httpd -f -p 8080 -h /srv'],
      ports: [{ containerPort: 8080 }],
      readinessProbe: { httpGet: { path: '/who', port: 8080 }, periodSeconds: 1 },
      volumeMounts: [{ name: 'srv', mountPath: '/srv' }],
    };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: pod({ containers: [container], volumes: [{ name: 'srv', emptyDir: {} }] }),
        },
      },
    };
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    };
    await cluster.apply('default', deployment, service);
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=240s');
    assert.match(await cluster.apply('default', deployment, service), /unchanged[\s\S]*unchanged/);
    assert.equal(await cluster.kubectl('logs', 'deployment/web'), 'started');

    await cluster.apply('default', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probe' },
      spec: pod({ containers: [sleeper] }),
    });
    await ready('pod/probe');
    const loop = 'for i in $(seq 20); do wget -q -O- http://web.default.svc.cluster.local/who; done | sort -u | wc -l';
    assert.equal(await cluster.kubectl('exec', 'probe', '--', 'sh', '-c', loop), '2');

    await cluster.kubectl('set', 'env', 'deployment/web', 'VERSION=2');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=240s');
    await cluster.kubectl('rollout', 'undo', 'deployment/web');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=240s');
    await cluster.kubectl('delete', 'pod', '-l', 'app=web', '--wait=true');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=240s');
  });

  test('commands run inside, files go in, ports come out', async () => {
    assert.equal((await cluster.run('kubectl', ['exec', 'probe', '--', 'sh', '-c', 'exit 4'])).status, 4);
    await cluster.kubectl('cp', dabba.file('f', 'copied\n'), 'probe:/tmp/f');
    assert.equal(await cluster.kubectl('exec', 'probe', '--', 'cat', '/tmp/f'), 'copied');
    const port = await freePort();
    const forward = spawn('kubectl', ['port-forward', 'deployment/web', `${port}:8080`], {
      env: { ...process.env, ...dabba.environment, KUBECONFIG: cluster.kubeconfig },
      stdio: 'ignore',
    });
    try {
      await eventually('the forwarded port answers', 15_000, async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/who`).catch(() => undefined);
        return (await answer?.text())?.startsWith('web-') ?? false;
      });
    } finally {
      forward.kill();
      await once(forward, 'exit');
    }
  });

  test('jobs complete, stateful sets keep their volumes, daemon sets are on every node', async () => {
    await cluster.kubectl('create', 'job', 'j', `--image=${busybox}`, '--', 'echo', 'done');
    await cluster.kubectl('wait', '--for=condition=Complete', 'job/j', '--timeout=240s');
    assert.equal(await cluster.kubectl('logs', 'job/j'), 'done');
    const set = (kind: string, name: string, more: object, container: object) => ({
      apiVersion: 'apps/v1',
      kind,
      metadata: { name },
      spec: {
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: pod({ containers: [{ ...sleeper, ...container }] }) },
        ...more,
      },
    });
    const volumes = [
      {
        metadata: { name: 'd' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '8Mi' } } },
      },
    ];
    await cluster.apply(
      'default',
      set(
        'StatefulSet',
        'db',
        { serviceName: 'db', replicas: 1, volumeClaimTemplates: volumes },
        {
          command: ['sh', '-c', 'test -e /d/id || cat /proc/sys/kernel/random/uuid > /d/id; exec sleep 3600'],
          volumeMounts: [{ name: 'd', mountPath: '/d' }],
        },
      ),
      set('DaemonSet', 'ds', {}, {}),
    );
    await cluster.kubectl('rollout', 'status', 'statefulset/db', '--timeout=240s');
    await cluster.kubectl('rollout', 'status', 'daemonset/ds', '--timeout=240s');
    const nodes = await cluster.kubectl('get', 'pods', '-l', 'app=ds', '-o', 'jsonpath={.items[*].spec.nodeName}');
    assert.equal(new Set(nodes.split(' ')).size, 2);
    const before = await cluster.kubectl('exec', 'db-0', '--', 'cat', '/d/id');
    await cluster.kubectl('delete', 'pod', 'db-0', '--wait=true');
    await cluster.kubectl('rollout', 'status', 'statefulset/db', '--timeout=240s');
    assert.equal(await cluster.kubectl('exec', 'db-0', '--', 'cat', '/d/id'), before);
  });

  test('who may not is refused, and what is wrong is said', async () => {
    await cluster.kubectl('create', 'serviceaccount', 'ro');
    await cluster.kubectl('create', 'role', 'r', '--verb=get,list', '--resource=pods');
    await cluster.kubectl('create', 'rolebinding', 'rb', '--role=r', '--serviceaccount=default:ro');
    const token = await cluster.kubectl('create', 'token', 'ro');
    const server = await cluster.kubectl('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}');
    const as = (bearer: string) => [
      '--kubeconfig=/dev/null',
      `--server=${server}`,
      '--insecure-skip-tls-verify',
      `--token=${bearer}`,
    ];
    await cluster.kubectl(...as(token), 'get', 'pods');
    await cluster.refused('Forbidden', [...as(token), 'get', 'secrets']);
    await cluster.refused('Unauthorized', [...as('wrong'), 'get', 'pods']);
    const unknown = JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'x' },
      spec: { replica: 1 },
    });
    await cluster.refused('unknown field "spec.replica"', ['create', '-f', '-'], unknown);
  });

  const old = { skip: noKubectl || isAwsTooOld() };
  test('another principal of IAM sees what its access policy gives it, where it gives it', old, async () => {
    await dabba.aws('iam', 'create-user', '--user-name', 'dev');
    const key = await dabba.aws(
      'iam',
      'create-access-key',
      '--user-name',
      'dev',
      '--query',
      'AccessKey.[AccessKeyId,SecretAccessKey]',
    );
    const [id = '', secret = ''] = key.split(/\s+/);
    const principal = ['--cluster-name', 'c1', '--principal-arn', 'arn:aws:iam::000000000000:user/dev'];
    const env = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, KUBECONFIG: cluster.kubeconfig };
    const get = async (namespace: string) => await dabba.client('kubectl', ['get', 'pods', '-n', namespace], { env });
    assert.match((await get('default')).stderr, /Unauthorized|must be logged in/);
    await dabba.aws('eks', 'create-access-entry', ...principal);
    assert.match((await get('default')).stderr, /Forbidden.*arn:aws:iam::000000000000:user\/dev/);
    const policy = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy';
    const scope = 'type=namespace,namespaces=default';
    await dabba.aws('eks', 'associate-access-policy', ...principal, '--policy-arn', policy, '--access-scope', scope);
    assert.equal((await get('default')).status, 0);
    assert.match((await get('kube-system')).stderr, /Forbidden/);
  });

  test('a pod works as a role of IAM: its token is known by the issuer, and put where SDKs look', async () => {
    const provider = await cluster.registerIssuer('--thumbprint-list', '0'.repeat(40));
    const role = await dabba.role('pod', {
      Principal: { Federated: `arn:aws:iam::000000000000:oidc-provider/${provider}` },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: { StringEquals: { [`${provider}:sub`]: 'system:serviceaccount:default:worker' } },
    });
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'worker', annotations: { 'eks.amazonaws.com/role-arn': role } },
    };
    const worker = pod({ serviceAccountName: 'worker', containers: [sleeper] });
    await cluster.apply('default', account);
    await cluster.apply('default', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'worker' }, spec: worker });
    await ready('pod/worker');
    const inside = 'test "$AWS_ROLE_ARN" && cat $AWS_WEB_IDENTITY_TOKEN_FILE';
    const token = await cluster.kubectl('exec', 'worker', '--', 'sh', '-c', inside);
    const assume = ['sts', 'assume-role-with-web-identity', '--role-arn', role, '--role-session-name', 'worker'];
    const user = await dabba.aws(...assume, '--web-identity-token', token, '--query', 'AssumedRoleUser.Arn');
    assert.equal(user, 'arn:aws:sts::000000000000:assumed-role/pod/worker');
    const other = await cluster.kubectl('create', 'token', 'ro', '--audience', 'sts.amazonaws.com');
    await dabba.refused('Not authorized', 'aws', [...assume, '--web-identity-token', other]);
    await dabba.refused('InvalidIdentityToken', 'aws', [...assume, '--web-identity-token', `${token}x`]);
  });

  test('SIGKILL of the daemon stops no pod, and the cluster comes back as it was', async () => {
    const pods = async () =>
      await cluster.kubectl(
        'get',
        'pods',
        '-l',
        'app=web',
        '-o',
        'jsonpath={.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}',
      );
    const before = await pods();
    await dabba.killBoth();
    await dabba.up();
    await eventually('the nodes are ready again', 30_000, async () => (await cluster.readyNodes()) === 2);
    assert.equal(await pods(), before);
    assert.match(await cluster.kubectl('exec', 'deployment/web', '--', 'cat', '/srv/who'), /^web-/);
  });

  test('an informer of the npm client lives through a restart of the daemon and misses no change', async () => {
    await cluster.kubectl('create', 'namespace', 'informed');
    await cluster.kubectl(
      'create',
      'rolebinding',
      'view',
      '-n',
      'informed',
      '--clusterrole=view',
      '--group=system:serviceaccounts:informed',
    );
    const field = async (path: string) =>
      await cluster.kubectl('config', 'view', '--raw', '--minify', '-o', `jsonpath={.clusters[0].cluster.${path}}`);
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      {
        name: 'c1',
        server: await field('server'),
        caData: await field('certificate-authority-data'),
        skipTLSVerify: false,
      },
      { name: 'watcher', token: await cluster.kubectl('create', 'token', 'default', '-n', 'informed') },
    );
    const make = async (name: string) =>
      await cluster.kubectl('create', 'configmap', name, '-n', 'informed', '--from-literal=n=1');
    for (const name of ['kept', 'removed']) await make(name);
    const list = async () => await config.makeApiClient(CoreV1Api).listNamespacedConfigMap({ namespace: 'informed' });
    const informer = makeInformer(config, '/api/v1/namespaces/informed/configmaps', list);
    const seen: string[] = [];
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, ({ metadata, data }) => seen.push(`${verb} ${metadata?.name} ${data?.['n']}`));
    // As its documentation says: start it again after an error. It starts only once the server answers.
    const stopping = new AbortController();
    const start = async (): Promise<void> => {
      while (!stopping.signal.aborted)
        try {
          return await informer.start();
        } catch {
          await sleep(200);
        }
    };
    informer.on('error', () => void start());
    await start();
    await eventually(
      'the informer has both',
      10_000,
      () => seen.includes('add kept 1') && seen.includes('add removed 1'),
    );

    await dabba.killBoth();
    await dabba.up();
    await make('made');
    await cluster.kubectl('delete', 'configmap', 'removed', '-n', 'informed');
    await cluster.kubectl('patch', 'configmap', 'kept', '-n', 'informed', '-p', '{"data":{"n":"2"}}');
    await eventually('the informer saw what was made, removed and changed meanwhile', 30_000, () =>
      ['add made 1', 'delete removed 1', 'update kept 2'].every((event) => seen.includes(event)),
    );
    assert.equal(seen.filter((event) => event.startsWith('add kept')).length, 1, 'what stayed is not new');
    stopping.abort();
    await informer.stop();
  });

  test('a cluster that is deleted leaves nothing', async () => {
    await dabba.aws('eks', 'delete-nodegroup', '--cluster-name', 'c1', '--nodegroup-name', 'ng');
    await eventually('the node group is gone', 60_000, async () => {
      return !(await dabba.aws('eks', 'list-nodegroups', '--cluster-name', 'c1', '--query', 'nodegroups'));
    });
    await dabba.aws('eks', 'delete-cluster', '--name', 'c1');
    await eventually(
      'the cluster is gone',
      30_000,
      async () => !(await dabba.aws('eks', 'list-clusters', '--query', 'clusters')),
    );
    const left = 'NetworkInterfaces[].NetworkInterfaceId';
    assert.equal(await dabba.aws('ec2', 'describe-network-interfaces', '--query', left), '');
    const volumes = () => readdirSync(join(dabba.data, 'kubelets/.storage'));
    await eventually('its volumes are gone', 10_000, () => volumes().length === 0);
  });
});
