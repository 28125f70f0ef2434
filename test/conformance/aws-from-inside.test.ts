/** Pods that call AWS: credentials of their own role by an association or by their token, and calls that leave from within them. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import { Cluster, noKubectl } from '../harness/cluster.ts';
import { busybox, Dabba, isAwsTooOld } from '../harness/dabba.ts';

const account = '000000000000';

class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array);
  }
  update(data: string | ArrayBuffer | ArrayBufferView) {
    this.#hash.update(data as Uint8Array);
  }
  digest = async () => new Uint8Array(this.#hash.digest());
  reset() {}
}

interface Keys {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly Token?: string;
}

suite('aws from inside pods', { skip: noKubectl || isAwsTooOld(), timeout: 960_000 }, () => {
  let dabba: Dabba;
  let cluster: Cluster;

  before(async () => {
    dabba = await Dabba.withBusybox();
    cluster = await Cluster.create(dabba, 'c1');
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const within = async (pod: string, script: string) => await cluster.kubectl('exec', pod, '--', 'sh', '-c', script);
  /** A role that may list roles, asked from within the VPC. */
  const role = async (name: string, trusted: object) =>
    await dabba.role(name, trusted, {
      Action: 'iam:ListRoles',
      Resource: '*',
      Condition: { Null: { 'aws:SourceVpc': 'false' } },
    });
  const runPod = async (name: string, serviceAccount: object) => {
    const metadata = { name };
    const container = { name: 'c', image: busybox, command: ['sleep', '3600'] };
    const spec = { serviceAccountName: name, terminationGracePeriodSeconds: 0, containers: [container] };
    await cluster.apply(
      'default',
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, ...serviceAccount } },
      { apiVersion: 'v1', kind: 'Pod', metadata, spec },
    );
    await cluster.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=240s');
  };
  /** A call signed here and sent from within the pod; what wget says. */
  const call = async (pod: string, keys: Keys, service: string, body: string, at?: string) => {
    const signer = new SignatureV4({
      service,
      region: 'us-east-1',
      sha256: Sha256,
      credentials: {
        accessKeyId: keys.AccessKeyId,
        secretAccessKey: keys.SecretAccessKey,
        ...(keys.Token && { sessionToken: keys.Token }),
      },
    });
    const endpoint = new URL(at ?? (await within(pod, 'echo $AWS_ENDPOINT_URL')));
    const { headers } = await signer.sign({
      method: 'POST',
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      path: '/',
      headers: { host: endpoint.host, 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
    const options = Object.entries(headers)
      .filter(([name]) => name !== 'host')
      .map(([name, value]) => `--header '${name}: ${value}'`)
      .join(' ');
    return await within(pod, `wget -q -O- ${options} --post-data '${body}' ${endpoint.href} 2>&1 || true`);
  };
  const whoAmI = 'Action=GetCallerIdentity&Version=2011-06-15';
  const listRoles = 'Action=ListRoles&Version=2010-05-08';
  const listUsers = 'Action=ListUsers&Version=2010-05-08';

  test('a pod with an association has its role, and no more than its role', async () => {
    const arn = await role('associated', {
      Principal: { Service: 'pods.eks.amazonaws.com' },
      Action: ['sts:AssumeRole', 'sts:TagSession'],
    });
    const names = ['--namespace', 'default', '--service-account', 'worker', '--role-arn', arn];
    await dabba.aws('eks', 'create-pod-identity-association', '--cluster-name', 'c1', ...names);
    await runPod('worker', {});
    const audience = JSON.parse(
      await cluster.kubectl(
        'get',
        'pod',
        'worker',
        '-o',
        'jsonpath={.spec.volumes[?(@.name=="eks-pod-identity-token")]}',
      ),
    ) as {
      readonly projected: {
        readonly sources: readonly { readonly serviceAccountToken: { readonly audience: string } }[];
      };
    };
    assert.equal(audience.projected.sources[0]!.serviceAccountToken.audience, 'pods.eks.amazonaws.com');
    const ask =
      'wget -q -O- --header "Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)" $AWS_CONTAINER_CREDENTIALS_FULL_URI';
    const keys = JSON.parse(await within('worker', ask)) as Keys;
    assert.match(
      await call('worker', keys, 'sts', whoAmI),
      new RegExp(`${account}:assumed-role/associated/eks-c1-worker`),
    );
    assert.match(await call('worker', keys, 'iam', listRoles), /<RoleName>associated</);
    const byTag = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'iam:ListGroups',
          Resource: '*',
          Condition: { StringEquals: { 'aws:PrincipalTag/kubernetes-service-account': 'worker' } },
        },
      ],
    });
    const named = ['--role-name', 'associated', '--policy-name', 'by-tag', '--policy-document', byTag];
    await dabba.aws('iam', 'put-role-policy', ...named);
    const listGroups = 'Action=ListGroups&Version=2010-05-08';
    assert.match(await call('worker', keys, 'iam', listGroups), /<ListGroupsResponse/);
    assert.match(await call('worker', keys, 'iam', listUsers), /403/);
    assert.match(
      await within('worker', `${ask.replace('$(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)', 'wrong')} 2>&1 || true`),
      /40[03]/,
    );
  });

  test('a pod on the network of its node has the role of its association too', async () => {
    const container = { name: 'c', image: busybox, command: ['sleep', '3600'] };
    const spec = {
      serviceAccountName: 'worker',
      hostNetwork: true,
      terminationGracePeriodSeconds: 0,
      containers: [container],
    };
    await cluster.apply('default', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'on-node' }, spec });
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/on-node', '--timeout=240s');
    const ask =
      'wget -q -O- --header "Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)" $AWS_CONTAINER_CREDENTIALS_FULL_URI';
    const keys = JSON.parse(await within('on-node', ask)) as Keys;
    const who = new RegExp(`${account}:assumed-role/associated/eks-c1-on-node`);
    assert.match(await call('on-node', keys, 'sts', whoAmI), who);
    const token = await within('worker', 'cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
    const forged = ask.replace('$(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)', token);
    assert.match(await within('on-node', `${forged} 2>&1 || true`), /403/);
    await cluster.kubectl('delete', 'pod', 'on-node', '--wait');
  });

  test('a pod whose service account names a role takes it by its own token', async () => {
    const provider = await cluster.registerIssuer();
    const trust = (serviceAccount: string) => ({
      Principal: { Federated: `arn:aws:iam::${account}:oidc-provider/${provider}` },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: {
          [`${provider}:aud`]: 'sts.amazonaws.com',
          [`${provider}:sub`]: `system:serviceaccount:default:${serviceAccount}`,
        },
      },
    });
    const arn = await role('by-token', trust('bearer'));
    const other = await role('of-another', trust('somebody'));
    await runPod('bearer', { annotations: { 'eks.amazonaws.com/role-arn': arn } });
    const assume = (roleArn: string) =>
      `wget -q -O- --post-data "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=s&RoleArn=${roleArn}&WebIdentityToken=$(cat $AWS_WEB_IDENTITY_TOKEN_FILE)" $AWS_ENDPOINT_URL 2>&1 || true`;
    const answer = await within(
      'bearer',
      assume('$AWS_ROLE_ARN').replace('RoleSessionName=s', 'RoleSessionName=session'),
    );
    const field = (name: string) => new RegExp(`<${name}>([^<]+)<`).exec(answer)?.[1] ?? '';
    const keys = {
      AccessKeyId: field('AccessKeyId'),
      SecretAccessKey: field('SecretAccessKey'),
      Token: field('SessionToken'),
    };
    assert.match(await call('bearer', keys, 'sts', whoAmI), /assumed-role\/by-token\/session/);
    assert.match(await call('bearer', keys, 'iam', listRoles), /<RoleName>by-token</);
    assert.match(await call('bearer', keys, 'iam', listUsers), /403/);
    assert.match(await within('bearer', assume(other).replace('RoleSessionName=s', 'RoleSessionName=session')), /403/);
  });

  test('the well-known keys open nothing from inside', async () => {
    const root = { AccessKeyId: 'test', SecretAccessKey: 'test' };
    assert.match(await call('worker', root, 'sts', whoAmI), /403/);
    assert.match(await call('worker', { ...root, AccessKeyId: account }, 'iam', listRoles), /403/);
    const token = JSON.parse(
      (await dabba.client('aws', ['eks', 'get-token', '--cluster-name', 'c1', '--output', 'json'])).stdout,
    ) as {
      readonly status: { readonly token: string };
    };
    // Relayed connections come to the API server from this address; busybox speaks no TLS that it would.
    const server = await cluster.kubectl('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}');
    const shown = async (...options: readonly string[]) => {
      const code = ['-s', '-k', '-o', '/dev/null', '-w', '%{http_code}'];
      const header = `Authorization: Bearer ${token.status.token}`;
      return (await dabba.client('curl', [...code, ...options, '-H', header, `${server}/api/v1/namespaces`])).stdout;
    };
    assert.equal(await shown(), '200');
    assert.equal(await shown('--interface', '127.0.0.2'), '401');
    assert.match(await within('worker', 'wget -q -O- $AWS_ENDPOINT_URL/_dabba/health 2>&1 || true'), /40\d/);
  });

  test('the instance under a host-network pod tells about itself; other pods see it where its hop limit lets them', async () => {
    const container = { name: 'c', image: busybox, command: ['sleep', '3600'] };
    const spec = { hostNetwork: true, terminationGracePeriodSeconds: 0, containers: [container] };
    await cluster.apply('default', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'on-host' }, spec });
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/on-host', '--timeout=240s');
    const question = 'PUT /latest/api/token HTTP/1.0\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n';
    const token = `$(printf '${question}' | nc 169.254.169.254 80 | tail -n 1)`;
    const read = async (pod: string, path: string) =>
      await within(
        pod,
        `wget -q -O- --header "X-aws-ec2-metadata-token: ${token}" http://169.254.169.254/latest/${path} 2>&1 || true`,
      );
    const nameOf = async (pod: string) =>
      (await cluster.kubectl('get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}')).trim();
    const instanceOf = async (pod: string) =>
      await dabba.aws(
        'ec2',
        'describe-instances',
        '--filters',
        `Name=private-dns-name,Values=${await nameOf(pod)}`,
        '--query',
        'Reservations[].Instances[].InstanceId',
      );
    const id = await instanceOf('on-host');
    assert.equal(await read('on-host', 'meta-data/instance-id'), id);
    assert.equal(await read('on-host', 'meta-data/local-hostname'), await nameOf('on-host'));
    assert.equal(await read('on-host', 'meta-data/placement/region'), 'us-east-1');
    assert.match(await read('on-host', 'dynamic/instance-identity/document'), new RegExp(id));
    assert.match(await within('on-host', 'wget -q -O- http://169.254.169.254/latest/meta-data/ 2>&1 || true'), /401/);
    const keys = JSON.parse(await read('on-host', 'meta-data/iam/security-credentials/c1')) as Keys;
    const endpoint = 'http://169.254.170.66/';
    assert.match(await call('on-host', keys, 'sts', whoAmI, endpoint), new RegExp(`assumed-role/c1/${id}`));

    const under = await instanceOf('worker');
    assert.doesNotMatch(await read('worker', 'meta-data/instance-id'), /^i-/);
    const more = ['--instance-id', under, '--http-put-response-hop-limit', '2'];
    await dabba.aws('ec2', 'modify-instance-metadata-options', ...more);
    assert.equal(await read('worker', 'meta-data/instance-id'), under);
  });

  test('the trail tells who called, by the address in the VPC', async () => {
    const address = await cluster.kubectl('get', 'pod', 'worker', '-o', 'jsonpath={.status.podIP}');
    const found = await dabba.aws(
      'cloudtrail',
      'lookup-events',
      '--lookup-attributes',
      'AttributeKey=EventName,AttributeValue=ListRoles',
      '--query',
      'Events[].CloudTrailEvent',
    );
    assert.ok(found.includes(address), found);
  });
});
