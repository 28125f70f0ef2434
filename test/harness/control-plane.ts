/**
 * A control plane for kubectl: a cluster in this process over the embedded store, its controllers and scheduler running, and two nodes that only say that their pods run. What
 * needs real containers is tested elsewhere.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { duplexPair } from 'node:stream';
import { systemClock } from '#base';
import { openSqliteStore } from '#store';
import { leases, nodes, pods } from '../../src/kubernetes/resources.ts';
import { isStatusError } from '../../src/kubernetes/status.ts';
import { makeTestCluster, type TestCluster } from '../../src/kubernetes/test-cluster.ts';
import type { Pod } from '../../src/kubernetes/types.ts';

export interface Said {
  readonly status: number;
  /** What it printed, errors behind. */
  readonly output: string;
}

export class ControlPlane implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly #work: string;
  readonly #program: string;

  private constructor(cluster: TestCluster, work: string, program: string) {
    this.cluster = cluster;
    this.#work = work;
    this.#program = program;
  }

  /** Starts one, driven by this kubectl. */
  static async start(program: string): Promise<ControlPlane> {
    const work = mkdtempSync(join(tmpdir(), 'dabba-kubectl-'));
    const store = openSqliteStore({ directory: join(work, 'store'), clock: systemClock });
    const cluster = await makeTestCluster({
      store,
      components: ['controllers', 'scheduler'],
      ports: { dialKubelet: kubeletThatTalks() },
    });
    const plane = new ControlPlane(cluster, work, program);
    plane.file('config', JSON.stringify(kubeconfigOf(cluster)));
    for (const name of ['n1', 'n2']) await addNode(cluster, name);
    runPods(cluster);
    return plane;
  }

  /** Writes a file for kubectl to read; answers its path. */
  file(name: string, content: string, mode = 0o600): string {
    const path = join(this.#work, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode });
    return path;
  }

  kubectl(
    args: readonly string[],
    { input = '', env = {} }: { readonly input?: string | object; readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Said> {
    const { promise, resolve } = Promise.withResolvers<Said>();
    const all = { ...process.env, ...env, KUBECONFIG: join(this.#work, 'config'), HOME: this.#work };
    const child = execFile(this.#program, args, { env: all, timeout: 240_000 }, (error, stdout, stderr) => {
      const status = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
      resolve({ status, output: stdout + stderr });
    });
    child.stdin!.on('error', () => undefined); // a client that ends early does not read its input
    child.stdin!.end(typeof input === 'object' ? JSON.stringify(input) : input);
    return promise;
  }

  /** Runs a command, words apart by spaces, that must succeed and say something. */
  async says(expected: RegExp, args: string, input?: string | object): Promise<string> {
    const { status, output } = await this.kubectl(args.split(' '), { ...(input !== undefined && { input }) });
    assert.equal(status, 0, `kubectl ${args}: ${output}`);
    assert.match(output, expected, `kubectl ${args}`);
    return output;
  }

  async refuses(expected: RegExp, args: string, input?: string | object): Promise<void> {
    const { status, output } = await this.kubectl(args.split(' '), { ...(input !== undefined && { input }) });
    assert.notEqual(status, 0, `kubectl ${args} was not refused: ${output}`);
    assert.match(output, expected, `kubectl ${args}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    rmSync(this.#work, { recursive: true });
  }
}

/** Logs say who is asked. */
function kubeletThatTalks() {
  const server = createServer((request, response) => response.end(`${request.url}\n`));
  return async () => {
    const [ours, theirs] = duplexPair();
    server.emit('connection', theirs);
    return ours;
  };
}

function kubeconfigOf({ settings, credentials, port }: TestCluster): object {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const cluster = {
    server: `https://127.0.0.1:${port}`,
    'certificate-authority-data': base64(settings.ca.certificatePem),
  };
  const user = {
    'client-certificate-data': base64(credentials.certificatePem),
    'client-key-data': base64(credentials.keyPem),
  };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
}

async function addNode({ client }: TestCluster, name: string): Promise<void> {
  await client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' };
  const now = new Date().toISOString();
  const ready = {
    type: 'Ready',
    status: 'True',
    lastHeartbeatTime: now,
    lastTransitionTime: now,
    reason: 'KubeletReady',
    message: '',
  };
  const status = { capacity: amounts, allocatable: amounts, conditions: [ready] };
  await client.patch(nodes, { name }, { kind: 'merge', body: { status } }, { subresource: 'status' });
  const renewTime = now.replace('Z', '000Z');
  await client.create(leases, {
    metadata: { namespace: 'kube-node-lease', name },
    spec: { holderIdentity: name, renewTime, leaseDurationSeconds: 3600 },
  });
}

/** Every pod with a node is running at once, and gone at once when it is to go. */
function runPods(cluster: TestCluster): void {
  const ignored = (error: unknown) => {
    if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
  };
  cluster.informers.of(pods).onChange(({ now }) => {
    if (now?.spec?.nodeName) void act(cluster, now).catch(ignored);
  });
}

async function act({ client }: TestCluster, pod: Pod): Promise<void> {
  const name = { namespace: pod.metadata!.namespace!, name: pod.metadata!.name! };
  if (pod.metadata?.deletionTimestamp) return client.delete(pods, name, { gracePeriodSeconds: 0 });
  if (pod.status?.phase !== 'Pending') return;
  const isJob = pod.spec!.restartPolicy === 'Never';
  const startedAt = new Date().toISOString();
  const containerStatuses = pod.spec!.containers.map(({ name, image = '' }) => ({
    name,
    image,
    imageID: '',
    ready: !isJob,
    started: true,
    restartCount: 0,
    state: isJob
      ? { terminated: { exitCode: 0, reason: 'Completed', startedAt, finishedAt: startedAt } }
      : { running: { startedAt } },
  }));
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: startedAt,
  }));
  const status = {
    phase: isJob ? 'Succeeded' : 'Running',
    podIP: '10.0.0.1',
    startTime: startedAt,
    containerStatuses,
    conditions,
  };
  await client.patch(pods, name, { kind: 'merge', body: { status } }, { subresource: 'status' });
}
