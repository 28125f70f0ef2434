/** A cluster for sweeps: what is sent to it, and what it failed at. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:https';
import { apiVersionOf, type KubernetesObject } from '../../../object.ts';
import { serviceAccounts } from '../../../resources.ts';
import { makeTestCluster, type TestCluster } from '../../../test-cluster.ts';
import { builtInRows } from '../../registry/index.ts';
import type { Resource, ServedVersion } from '../../resource.ts';

export const json = 'application/json';
export const protobuf = 'application/vnd.kubernetes.protobuf';

export interface Target {
  readonly path: string;
  readonly version: ServedVersion;
}

export interface World extends AsyncDisposable {
  readonly targets: readonly Target[];
  /** Throws what the server failed at, each once. */
  report(): void;
  expectAnswer(method: string, path: string, sent?: Sent): Promise<void>;
  /** Makes an object of the kind, if a small one is enough; answers its name. */
  make(target: Target): Promise<string | undefined>;
  read(path: string): Promise<KubernetesObject>;
  /** The object is still there, the same one, and such that it may be written as it is. */
  expectWhole(path: string, before: KubernetesObject): Promise<void>;
}

export interface Sent {
  readonly type?: string;
  /** Characters stand for bytes. */
  readonly body?: string;
  readonly accept?: string;
}

export async function makeWorld(): Promise<World> {
  const failures: string[] = [];
  const note = (message: string, fields?: { readonly error?: string }) =>
    void failures.push((fields?.error ?? message).split('\n').slice(0, 3).join(' '));
  const logger = { info() {}, warn() {}, error: note, with: () => logger };
  const cluster = await makeTestCluster({ logger });
  // Pods wait for it.
  await cluster.client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  const agent = new Agent({ keepAlive: true });
  return {
    targets: builtInRows.filter(({ verbs }) => verbs.includes('create')).flatMap(targetsOf),
    async expectAnswer(method, path, sent = {}) {
      const { code, text } = await send(cluster, agent, { method, path, ...sent });
      if (code >= 500 && !failures.length)
        failures.push(`${method} ${path} ${(sent.body ?? '').slice(0, 1000)} was answered ${code}: ${text}`);
    },
    async make({ path, version }) {
      const body = JSON.stringify({ metadata: { name: 'swept' }, ...small[version.kind] });
      const { code } = await send(cluster, agent, { method: 'POST', path, type: json, body });
      if (code !== 201 && code !== 409) return undefined;
      // Reviews are answered and not kept.
      const { code: isThere } = await send(cluster, agent, { method: 'GET', path: `${path}/swept` });
      return isThere === 200 ? 'swept' : undefined;
    },
    async read(path) {
      const { text } = await send(cluster, agent, { method: 'GET', path });
      return JSON.parse(text) as KubernetesObject;
    },
    async expectWhole(path, before) {
      const { code, text } = await send(cluster, agent, { method: 'GET', path });
      assert.equal(code, 200, `${path} is gone: ${text}`);
      const { kind, metadata } = JSON.parse(text) as KubernetesObject;
      assert.deepEqual(
        [kind, metadata?.name, metadata?.uid],
        [before.kind, before.metadata?.name, before.metadata?.uid],
      );
      const again = await send(cluster, agent, { method: 'PUT', path, type: json, body: latin1(text) });
      assert.equal(again.code, 200, `${path} may not be written as it is: ${again.text}`);
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    },
    report() {
      assert.deepEqual([...new Set(failures)].slice(0, 20), []);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const selector = { matchLabels: { a: 'b' } };

/** What is not made of metadata alone. */
const small: { readonly [kind: string]: object } = {
  Pod: { spec: template.spec },
  Service: { spec: { ports: [{ port: 80 }], selector: { a: 'b' } } },
  Deployment: { spec: { selector, template } },
  ReplicaSet: { spec: { selector, template } },
  DaemonSet: { spec: { selector, template } },
  StatefulSet: { spec: { selector, template, serviceName: 's' } },
  Job: { spec: { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } },
  ReplicationController: { spec: { selector: { a: 'b' }, template } },
  PersistentVolumeClaim: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } },
  NetworkPolicy: { spec: { podSelector: {} } },
  EndpointSlice: { addressType: 'IPv4', endpoints: [] },
  PriorityClass: { value: 7 },
  StorageClass: { provisioner: 'p' },
  RuntimeClass: { handler: 'h' },
};

function targetsOf({ type, versions }: Resource): Target[] {
  return versions.map((version) => {
    const root = version.group ? `/apis/${apiVersionOf(version)}` : `/api/${version.version}`;
    return { path: `${root}${type.isNamespaced ? '/namespaces/default' : ''}/${type.resource}`, version };
  });
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function send(
  { port, settings, credentials }: TestCluster,
  agent: Agent,
  { method, path, type, body = '', accept }: Sent & { readonly method: string; readonly path: string },
) {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly code: number; readonly text: string }>();
  request(
    {
      host: '127.0.0.1',
      port,
      method,
      path,
      agent,
      ca: settings.ca.certificatePem,
      cert: credentials.certificatePem,
      key: credentials.keyPem,
      headers: {
        ...(type !== undefined && { 'content-type': type }),
        ...(body && { 'content-length': Buffer.byteLength(body, 'latin1') }),
        ...(accept !== undefined && { accept }),
      },
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
      response.on('error', reject);
    },
  )
    .on('error', reject)
    .end(Buffer.from(body, 'latin1'));
  return promise;
}
