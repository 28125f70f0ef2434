/** Who gets into a cluster, asked with unmodified aws and kubectl: access entries with policies, the aws-auth map, and what a creator has. No nodes: the control plane alone. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { noKubectl } from '../harness/cluster.ts';
import { Dabba, type Outcome, isAwsTooOld } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

const account = '000000000000';

suite('access to clusters', { skip: noKubectl || isAwsTooOld(), timeout: 960_000 }, () => {
  let dabba: Dabba;
  let subnets: string;
  let role: string;
  /** Environments of IAM users, by their keys. */
  const users = new Map<string, { readonly [name: string]: string }>();

  before(async () => {
    dabba = await Dabba.start();
    subnets = (await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[].SubnetId')).replaceAll(/\s+/g, ',');
    const assume = { Action: 'sts:AssumeRole' };
    role = await dabba.role('eks', { Principal: { Service: 'eks.amazonaws.com' }, ...assume });
    await dabba.role('team', { Principal: { AWS: account }, ...assume });
    for (const name of ['ann', 'ben', 'cat']) {
      await dabba.aws('iam', 'create-user', '--user-name', name);
      const allowed = JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }],
      });
      await dabba.aws(
        'iam',
        'put-user-policy',
        '--user-name',
        name,
        '--policy-name',
        'p',
        '--policy-document',
        allowed,
      );
      const key = await dabba.aws(
        'iam',
        'create-access-key',
        '--user-name',
        name,
        '--query',
        'AccessKey.[AccessKeyId,SecretAccessKey]',
      );
      const [AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = ''] = key.split(/\s+/);
      users.set(name, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
    }
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const kubeconfig = (name: string) => join(dabba.work, `${name}.kubeconfig`);
  const create = async (name: string, accessConfig?: string) => {
    const more = accessConfig ? ['--access-config', accessConfig] : [];
    await dabba.aws(
      'eks',
      'create-cluster',
      '--name',
      name,
      '--role-arn',
      role,
      '--resources-vpc-config',
      `subnetIds=${subnets}`,
      ...more,
    );
    await eventually(
      'the cluster is up',
      30_000,
      async () =>
        (await dabba.aws('eks', 'describe-cluster', '--name', name, '--query', 'cluster.status')) === 'ACTIVE',
    );
    await dabba.aws('eks', 'update-kubeconfig', '--name', name, '--kubeconfig', kubeconfig(name));
  };
  const kubectl = async (cluster: string, user: string | undefined, ...args: string[]): Promise<Outcome> =>
    await dabba.client('kubectl', args, {
      env: { KUBECONFIG: kubeconfig(cluster), HOME: dabba.work, ...(user === undefined ? {} : users.get(user)) },
    });
  const may = async (cluster: string, user: string | undefined, ...question: string[]) => {
    const { stdout, stderr } = await kubectl(cluster, user, 'auth', 'can-i', ...question);
    return stdout.trim().split('\n').at(-1) || stderr;
  };
  const applied = async (cluster: string, object: object) => {
    const outcome = await dabba.client('kubectl', ['apply', '-f', '-'], {
      input: JSON.stringify(object),
      env: { KUBECONFIG: kubeconfig(cluster), HOME: dabba.work },
    });
    assert.equal(outcome.status, 0, outcome.stderr);
  };
  const awsAuth = (data: object) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'aws-auth', namespace: 'kube-system' },
    data,
  });
  const mapped = awsAuth({
    mapUsers: `- userarn: arn:aws:iam::${account}:user/ben\n  username: ben\n  groups: [system:masters]\n`,
    mapRoles: `- rolearn: arn:aws:iam::${account}:role/team\n  username: "team:{{SessionName}}"\n  groups: [viewers]\n`,
  });

  test('an access policy holds in its namespaces, and a group of an entry is one of the cluster', async () => {
    await create('both');
    assert.match(await may('both', 'ann', 'list', 'pods'), /Unauthorized|logged in/);
    const ann = ['--cluster-name', 'both', '--principal-arn', `arn:aws:iam::${account}:user/ann`];
    await dabba.aws('eks', 'create-access-entry', ...ann, '--kubernetes-groups', 'viewers');
    assert.equal(await may('both', 'ann', 'list', 'pods'), 'no');
    const policy = ['--policy-arn', 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy'];
    await dabba.aws(
      'eks',
      'associate-access-policy',
      ...ann,
      ...policy,
      '--access-scope',
      'type=namespace,namespaces=default',
    );
    assert.equal(await may('both', 'ann', 'create', 'deployments.apps', '-n', 'default'), 'yes');
    assert.equal(await may('both', 'ann', 'create', 'deployments.apps', '-n', 'kube-system'), 'no');
    assert.equal(await may('both', 'ann', 'list', 'nodes'), 'no');
    const made = await kubectl('both', 'ann', 'create', 'configmap', 'of-ann', '-n', 'default');
    assert.equal(made.status, 0, made.stderr);
    assert.match((await kubectl('both', 'ann', 'create', 'configmap', 'no', '-n', 'kube-system')).stderr, /forbidden/);
    await kubectl('both', undefined, 'create', 'clusterrole', 'v', '--verb=list', '--resource=nodes');
    await kubectl('both', undefined, 'create', 'clusterrolebinding', 'v', '--clusterrole=v', '--group=viewers');
    assert.equal(await may('both', 'ann', 'list', 'nodes'), 'yes');
    await dabba.aws('eks', 'disassociate-access-policy', ...ann, ...policy);
    assert.equal(await may('both', 'ann', 'create', 'deployments.apps', '-n', 'default'), 'no');
    await dabba.aws('eks', 'delete-access-entry', ...ann);
    assert.match(await may('both', 'ann', 'list', 'nodes'), /Unauthorized|logged in/);
  });

  test('the map lets users and roles in beside the entries, until the API alone decides', async () => {
    assert.match(await may('both', 'ben', 'list', 'pods'), /Unauthorized|logged in/);
    await applied('both', mapped);
    assert.equal(await may('both', 'ben', '*', '*'), 'yes');
    const session = await dabba.client(
      'aws',
      [
        'sts',
        'assume-role',
        '--role-arn',
        `arn:aws:iam::${account}:role/team`,
        '--role-session-name',
        'cat@home',
        '--output',
        'json',
      ],
      { env: users.get('cat')! },
    );
    assert.equal(session.status, 0, session.stderr);
    const { Credentials } = JSON.parse(session.stdout) as {
      readonly Credentials: { readonly [name: string]: string };
    };
    users.set('session', {
      AWS_ACCESS_KEY_ID: Credentials['AccessKeyId']!,
      AWS_SECRET_ACCESS_KEY: Credentials['SecretAccessKey']!,
      AWS_SESSION_TOKEN: Credentials['SessionToken']!,
    });
    assert.match((await kubectl('both', 'session', 'auth', 'whoami')).stdout, /team:cat-home[\s\S]*viewers/);
    assert.equal(await may('both', 'session', 'list', 'nodes'), 'yes');
    await dabba.aws('eks', 'update-cluster-config', '--name', 'both', '--access-config', 'authenticationMode=API');
    await eventually('the map is no longer asked', 10_000, async () =>
      /Unauthorized|logged in/.test(await may('both', 'ben', 'list', 'pods')),
    );
    assert.equal(await may('both', undefined, '*', '*'), 'yes');
  });

  test('a creator who declined to be administrator is nobody until there is an entry', async () => {
    await create('closed', 'authenticationMode=API,bootstrapClusterCreatorAdminPermissions=false');
    assert.match(await may('closed', undefined, 'list', 'pods'), /Unauthorized|logged in/);
    const root = ['--cluster-name', 'closed', '--principal-arn', `arn:aws:iam::${account}:root`];
    assert.equal(
      await dabba.aws('eks', 'list-access-entries', '--cluster-name', 'closed', '--query', 'accessEntries'),
      '',
    );
    await dabba.aws('eks', 'create-access-entry', ...root);
    const policy = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';
    await dabba.aws(
      'eks',
      'associate-access-policy',
      ...root,
      '--policy-arn',
      policy,
      '--access-scope',
      'type=cluster',
    );
    assert.equal(await may('closed', undefined, '*', '*'), 'yes');
  });

  test('what the control plane says is in CloudWatch Logs, from the moment it is asked for', async () => {
    const group = '/aws/eks/closed/cluster';
    await dabba.refused('does not exist', 'aws', ['logs', 'describe-log-streams', '--log-group-name', group]);
    const enabled = JSON.stringify({ clusterLogging: [{ types: ['audit', 'authenticator'], enabled: true }] });
    await dabba.aws('eks', 'update-cluster-config', '--name', 'closed', '--logging', enabled);
    await eventually('the update is done', 10_000, async () => {
      const query = 'cluster.[status,logging.clusterLogging[?enabled].types]';
      const said = await dabba.aws('eks', 'describe-cluster', '--name', 'closed', '--query', query);
      return /^ACTIVE\s+audit\s+authenticator$/.test(said);
    });
    assert.equal((await kubectl('closed', undefined, 'create', 'configmap', 'seen', '-n', 'default')).status, 0);
    await may('closed', 'ben', 'list', 'pods');
    const events = async (prefix: string, pattern: string) =>
      await dabba.aws(
        'logs',
        'filter-log-events',
        '--log-group-name',
        group,
        '--log-stream-name-prefix',
        prefix,
        '--filter-pattern',
        pattern,
        '--query',
        'events[].message',
      );
    await eventually('the audit log has it', 10_000, async () =>
      (await events('kube-apiserver-audit-', '{ $.verb = "create" && $.objectRef.name = "seen" }')).includes(
        '"resource":"configmaps"',
      ),
    );
    const created = await events('kube-apiserver-audit-', '{ $.objectRef.name = "seen" }');
    assert.partialDeepStrictEqual(JSON.parse(created) as object, {
      kind: 'Event',
      stage: 'ResponseComplete',
      user: { username: `arn:aws:iam::${account}:root` },
      responseStatus: { code: 201 },
    });
    assert.match(await events('authenticator-', '"access granted"'), new RegExp(`arn:aws:iam::${account}:root`));
    assert.match(await events('authenticator-', '"access denied"'), /user\/ben/);
    const streams = [
      'logs',
      'describe-log-streams',
      '--log-group-name',
      group,
      '--query',
      'logStreams[].logStreamName',
    ];
    assert.doesNotMatch(await dabba.aws(...streams), /scheduler|controller/);
  });

  test('where the map alone is asked, the creator is in it unseen, and there are no entries', async () => {
    const named = [
      'eks',
      'create-cluster',
      '--name',
      'none',
      '--role-arn',
      role,
      '--resources-vpc-config',
      `subnetIds=${subnets}`,
    ];
    const config = 'authenticationMode=CONFIG_MAP,bootstrapClusterCreatorAdminPermissions=false';
    await dabba.refused('must be true', 'aws', [...named, '--access-config', config]);
    await create('map', 'authenticationMode=CONFIG_MAP');
    assert.equal(await may('map', undefined, '*', '*'), 'yes');
    await dabba.refused('authentication mode', 'aws', ['eks', 'list-access-entries', '--cluster-name', 'map']);
    await applied('map', mapped);
    assert.equal(await may('map', 'ben', '*', '*'), 'yes');
    assert.match(await may('map', 'ann', 'list', 'pods'), /Unauthorized|logged in/);
  });
});
