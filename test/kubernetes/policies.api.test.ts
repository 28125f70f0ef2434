/** Admission by policies, lists that outlive their version, and kubectl's proxy, as upstream's sig-api-machinery and sig-cli tests use them. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { kubectls } from '../harness/kubectls.ts';
import { type Json, PATIENCE_MS } from './api.ts';
import { type ApiCluster, startApiCluster } from './in-process.ts';
import { makeNamespace } from './lifecycle.ts';

const work = mkdtempSync(join(tmpdir(), 'dabba-policies-'));
let cluster: ApiCluster;
let namespace: string;
before(async () => {
  cluster = await startApiCluster();
  namespace = await makeNamespace(cluster.api, 'policies');
});
after(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

const options = { timeout: PATIENCE_MS };
const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const deployment = (name: string, replicas: number): Json => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

/** Makes a policy for deployments of the namespace: what was answered is obeyed by the next request. */
async function enforce(name: string, spec: Json): Promise<void> {
  const { api } = cluster;
  await api.patch(`/api/v1/namespaces/${namespace}`, { metadata: { labels: { policy: name } } });
  const resourceRules = [
    { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] },
  ];
  await api.post(policies, {
    metadata: { name },
    spec: { failurePolicy: 'Fail', matchConstraints: { resourceRules }, ...spec },
  });
  await api.post(policies.replace('policies', 'policybindings'), {
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ['Deny'],
      matchResources: { namespaceSelector: { matchLabels: { policy: name } } },
    },
  });
  await api.refused(422, 'POST', deployments(), deployment(`${name}-marker`, 1));
}
const deployments = (of = namespace): string => `/apis/apps/v1/namespaces/${of}/deployments`;

test('[sig-api-machinery] ValidatingAdmissionPolicy should validate against a Deployment', options, async () => {
  const { api } = cluster;
  await enforce('replicated', {
    validations: [
      {
        expression: 'object.spec.replicas > 1',
        messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)",
      },
      { expression: `namespaceObject.metadata.name == '${namespace}'`, message: 'not of this namespace' },
    ],
  });
  await api.post(deployments(), deployment('replicated', 2));
  const { message } = await api.refused(422, 'POST', deployments(), deployment('single', 1));
  assert.match(
    message,
    /ValidatingAdmissionPolicy 'replicated' with binding 'replicated' denied request: wants replicas > 1, got 1/,
  );
  const other = await makeNamespace(api, 'unbound');
  await api.post(deployments(other), deployment('single', 1));
  await api.refused(
    422,
    'PATCH',
    `${deployments()}/replicated`,
    { spec: { replicas: 1 } },
    {
      'content-type': 'application/merge-patch+json',
    },
  );
});

test(
  '[sig-api-machinery] ValidatingAdmissionPolicy should allow expressions to refer variables.',
  options,
  async () => {
    const { api } = cluster;
    await enforce('odd', {
      variables: [
        { name: 'replicas', expression: 'object.spec.replicas' },
        { name: 'oddReplicas', expression: 'variables.replicas % 2 == 1' },
      ],
      validations: [{ expression: 'variables.replicas > 1' }, { expression: 'variables.oddReplicas' }],
    });
    await api.post(deployments(), deployment('three', 3));
    const { message } = await api.refused(422, 'POST', deployments(), deployment('four', 4));
    assert.match(message, /failed expression: variables\.oddReplicas/);
    assert.match(
      (await api.refused(422, 'POST', deployments(), deployment('one', 1))).message,
      /failed expression: variables\.replicas > 1/,
    );
  },
);

test(
  '[sig-api-machinery] Servers with support for API chunking should support continue listing from the last key if the original version has been compacted away, though the list is inconsistent [Slow]',
  options,
  async () => {
    const { api } = cluster;
    const templates = `/api/v1/namespaces/${namespace}/podtemplates`;
    const name = (n: number): string => `template-${String(n).padStart(3, '0')}`;
    const template = { spec: { containers: [{ name: 'test', image: 'test' }] } };
    for (let n = 0; n < 40; n++) await api.post(templates, { metadata: { name: name(n) }, template });
    const first = await api.get(`${templates}?limit=10`);
    assert.equal(first.metadata.remainingItemCount, 30);
    const going = `${templates}?limit=10&continue=${first.metadata.continue}`;
    await api.delete(`${templates}/${name(39)}`);
    assert.equal((await api.get(going)).metadata.resourceVersion, first.metadata.resourceVersion);
    await cluster.compact();
    const expired = await api.refused(410, 'GET', going);
    assert.equal(expired.reason, 'Expired');
    const token = expired.metadata.continue;
    assert.ok(token, 'it says how to go on all the same');
    const second = await api.get(`${templates}?limit=10&continue=${token}`);
    assert.equal(second.items[0].metadata.name, name(10));
    assert.ok(Number(second.metadata.resourceVersion) > Number(first.metadata.resourceVersion));
    let [rest, found] = [second.metadata.continue, second.items.length];
    while (rest) {
      const page = await api.get(`${templates}?limit=10&continue=${rest}`);
      assert.equal(page.metadata.resourceVersion, second.metadata.resourceVersion, 'consistent from there on');
      found += page.items.length;
      rest = page.metadata.continue;
    }
    assert.equal(found, 29, 'what was there, less what was deleted meanwhile');
  },
);

/** `kubectl proxy`, as an administrator. */
function proxy(...args: readonly string[]): ChildProcess {
  const { server, ca, certificate = '', key = '' } = cluster.api.access;
  const file = (name: string, content: string): string => {
    writeFileSync(join(work, name), content, { mode: 0o600 });
    return join(work, name);
  };
  const flags = [
    '--kubeconfig=/dev/null',
    `--server=${server}`,
    `--certificate-authority=${file('ca', ca)}`,
    `--client-certificate=${file('certificate', certificate)}`,
    `--client-key=${file('key', key)}`,
  ];
  return spawn(kubectls[0]!.program, [...flags, 'proxy', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}
async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  return line;
}
async function end(child: ChildProcess): Promise<void> {
  child.kill();
  await once(child, 'exit');
}

test('[sig-cli] Proxy server should support proxy with --port 0', options, async () => {
  const running = proxy('--port=0', '--disable-filter=true');
  try {
    const at = /127\.0\.0\.1:\d+/.exec(await firstLine(running))?.[0];
    const answer = (await (await fetch(`http://${at}/api/`)).json()) as Json;
    assert.deepEqual(answer.versions, ['v1']);
  } finally {
    await end(running);
  }
});
test('[sig-cli] Proxy server should support --unix-socket=/path', options, async () => {
  const socketPath = join(work, 'proxy');
  const running = proxy(`--unix-socket=${socketPath}`);
  try {
    assert.match(await firstLine(running), /Starting to serve on/);
    const sent = request({ socketPath, path: '/api/' }).end();
    const [response] = await once(sent, 'response');
    assert.deepEqual(JSON.parse(await text(response)).versions, ['v1']);
  } finally {
    await end(running);
  }
});
