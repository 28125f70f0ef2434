/** Who may do what in a cluster, asked by kubectl: identities, roles, impersonation, certificates, and what admission and validation refuse. A control plane in this process. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeTestCluster, type TestCluster } from '../../src/kubernetes/test-cluster.ts';
import { eventually } from '../harness/machine.ts';

const work = mkdtempSync(join(tmpdir(), 'dabba-access-'));
const admin = join(work, 'admin');
let cluster: TestCluster;

before(async () => {
  cluster = await makeTestCluster({ components: ['controllers'] });
  const { credentials } = cluster;
  writeConfig(admin, {
    'client-certificate-data': base64(credentials.certificatePem),
    'client-key-data': base64(credentials.keyPem),
  });
  await eventually(
    'the default account',
    30_000,
    async () => (await kubectl(['get', 'serviceaccount', 'default'])).code === 0,
  );
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function writeConfig(path: string, user: object): void {
  const server = `https://127.0.0.1:${cluster.port}`;
  const authority = base64(cluster.settings.ca.certificatePem);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config));
}

interface Ran {
  readonly code: number;
  readonly out: string;
}

function kubectl(args: readonly string[], { config = admin, input = '' } = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      'kubectl',
      [`--kubeconfig=${config}`, `--cache-dir=${join(work, 'cache')}`, ...args],
      { timeout: 120_000 },
      (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, out: `${stdout}${stderr}`.trim() }),
    );
    child.stdin!.end(input);
  });
}

/** Runs a command line of words, as the administrator unless another configuration is named. */
async function run(line: string, options: { config?: string; input?: string } = {}): Promise<string> {
  const { code, out } = await kubectl(line.split(' '), options);
  assert.equal(code, 0, out);
  return out;
}

async function refuses(
  expected: string,
  line: string,
  options: { config?: string; input?: string } = {},
): Promise<void> {
  const { code, out } = await kubectl(line.split(' '), options);
  assert.notEqual(code, 0, out);
  assert.ok(out.includes(expected), out);
}

async function tokenConfig(account: string): Promise<string> {
  const config = join(work, account);
  writeConfig(config, { token: await run(`create token ${account}`) });
  return config;
}

test('a service account may do what its role says, from the moment it says so', async () => {
  await run('create serviceaccount ro');
  const config = await tokenConfig('ro');
  const forbidden = (verb: string) =>
    `User "system:serviceaccount:default:ro" cannot ${verb} resource "pods" in API group "" in the namespace "default"`;
  await refuses(forbidden('list'), 'get pods', { config });
  await run('create role r --verb=get,list --resource=pods');
  await run('create rolebinding rb --role=r --serviceaccount=default:ro');
  assert.equal(await run('get pods', { config }), 'No resources found in default namespace.');
  await refuses(forbidden('delete'), 'delete pod absent', { config });
  assert.match(await run('auth whoami', { config }), /system:serviceaccount:default:ro/);
  assert.match(await run('auth can-i --list', { config }), /pods\s+\[\]\s+\[\]\s+\[get list\]/);
  await run('delete rolebinding rb');
  await refuses(forbidden('list'), 'get pods', { config });
  await run('delete serviceaccount ro');
  await refuses('Unauthorized', 'get pods', { config });
});

test('default roles are there, and gather what is labelled for them', async () => {
  await run('create clusterrolebinding viewer --clusterrole=view --user=viewer');
  await eventually(
    'the binding of the default role',
    30_000,
    async () => (await kubectl(['auth', 'can-i', 'list', 'pods', '--as=viewer'])).out === 'yes',
  );
  for (const question of ['get secrets', 'create pods', 'list nodes']) {
    const { out } = await kubectl(['auth', 'can-i', ...question.split(' '), '--as=viewer']);
    assert.match(out, /^no/, question);
  }
  await run('apply -f -', {
    input: JSON.stringify({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'widgets', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
      rules: [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['get'] }],
    }),
  });
  await eventually('the gathered rule', 30_000, async () =>
    /example.com/.test(await run('get clusterrole view -o yaml')),
  );
});

test('nobody grants or impersonates more than they may', async () => {
  await run('create clusterrole binder --verb=create --resource=rolebindings.rbac.authorization.k8s.io');
  await run('create clusterrolebinding binder --clusterrole=binder --user=mallory');
  await refuses(
    'is attempting to grant RBAC permissions not currently held',
    'create rolebinding me --clusterrole=edit --user=mallory --as=mallory',
  );
  await run('create serviceaccount low');
  const config = await tokenConfig('low');
  await refuses('cannot impersonate resource "users" in API group "" at the cluster scope', 'get pods --as=admin', {
    config,
  });
});

test('a user is made by a certificate that somebody approved', async () => {
  const key = join(work, 'bob.key');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const request = await new Promise<string>((resolve, reject) =>
    execFile('openssl', ['req', '-new', '-key', key, '-subj', '/O=dev/CN=bob'], (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    ),
  );
  const spec = { request: base64(request), signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] };
  await run('create -f -', {
    input: JSON.stringify({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'bob' },
      spec,
    }),
  });
  await run('certificate approve bob');
  let certificate = '';
  await eventually(
    'the certificate',
    30_000,
    async () => (certificate = await run('get csr bob -o jsonpath={.status.certificate}')) !== '',
  );
  const config = join(work, 'bob');
  writeConfig(config, { 'client-certificate-data': certificate, 'client-key': key });
  assert.match(await run('auth whoami', { config }), /bob[\s\S]*\[dev system:authenticated\]/);
  await refuses('User "bob" cannot list resource "pods"', 'get pods', { config });
});

test('admission and validation refuse in upstream’s words', async () => {
  await refuses('this namespace may not be deleted', 'delete namespace kube-system');
  await run('create namespace tight');
  await run('label namespace tight pod-security.kubernetes.io/enforce=restricted');
  await refuses(
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
    '-n tight run p --image=i',
  );
  await run('create namespace small');
  await run('-n small create quota q --hard=pods=1');
  await run('-n small run a --image=i');
  await refuses('exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1', '-n small run b --image=i');
  await run('-n small delete pod a --now');
  await eventually(
    'the place that was given back',
    30_000,
    async () => (await kubectl(['-n', 'small', 'run', 'b', '--image=i'])).code === 0,
  );
  await run('-n small delete serviceaccount default');
  await refuses('must be between 1 and 65535, inclusive', 'create service clusterip s --tcp=0:80');
  await refuses(
    'no PriorityClass with name urgent was found',
    'run p --image=i --overrides={"spec":{"priorityClassName":"urgent"}}',
  );
  await run('run p --image=i');
  await refuses('pod updates may not change fields other than', 'patch pod p -p {"spec":{"hostname":"h"}}');
  await run('set image pod/p p=other');
});
