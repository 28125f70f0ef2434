/**
 * The Kubernetes API server alone, over the embedded store: writes, lists, fan-out of a change, and what size does to them.
 *   node bench/kubernetes-api.ts [directory]      (a directory on the disk to measure; nothing else busy on the machine)
 * HTTPS is measured over kept connections from the same process, so both ends share the two cores.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom } from '#base';
import { openSqliteStore } from '#store';
import {
  type ClusterPorts,
  createAuthority,
  createClientCertificate,
  createCluster,
  createSigningKey,
  HttpClient,
  resources,
  type types,
} from '#kubernetes';
import type { SeenByAll, WatchOrder } from './watchers.ts';

const { configMaps, pods } = resources;
const WATCHERS = 1000;
const PODS = 10_000;
const ROUNDS = 7;
const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const protobufType = 'application/vnd.kubernetes.protobuf';
const parts = { clock: systemClock, random: systemRandom };

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'dabba-bench-kubernetes-'));
const store = openSqliteStore({ directory, clock: systemClock });
const ca = await createAuthority('bench', parts);
const identity = await createClientCertificate(ca, { username: 'bench', groups: ['system:masters'] }, parts);
const before = memoryMiB();
const cluster = await createCluster(
  {
    id: 'bench',
    name: 'bench',
    tenant: '000000000000',
    serviceCidr: '10.100.0.0/16',
    dnsAddress: '10.100.0.10',
    domain: 'cluster.local',
    port: 0,
    serverNames: [],
    ca,
    serviceAccountKey: createSigningKey(),
    issuer: 'https://issuer.bench',
  },
  { ...parts, store, logger: silentLogger, ports: noPorts(), components: [] },
);
const { client } = cluster;
const server = `https://127.0.0.1:${cluster.port}`;
const remote = new HttpClient({ server, certificateAuthorityPem: ca.certificatePem, identity, fieldManager: 'bench' });
const agent = new Agent({
  keepAlive: true,
  ca: ca.certificatePem,
  cert: identity.certificatePem,
  key: identity.keyPem,
});
let isMet = true;

try {
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores`);
  report('memory of a first, idle cluster', memoryMiB() - before, { unit: 'MiB', most: 60 });
  await measureCreates();
  await measureFanOut();
  await measureLists();
} finally {
  remote.close();
  agent.destroy();
  await cluster.stop();
  await store.close();
  rmSync(directory, { recursive: true });
}
process.exitCode = isMet ? 0 : 1;

async function measureCreates(): Promise<void> {
  const inProcess = await times(2000, (index) => client.create(configMaps, configMap(`local-${index}`)));
  report('ConfigMap create, in process, p50', quantile(inProcess, 0.5), { unit: 'ms', most: 1 });
  const overHttps = await times(1000, (index) => remote.create(configMaps, configMap(`https-${index}`)));
  report('ConfigMap create, HTTPS, p50', quantile(overHttps, 0.5), { unit: 'ms', most: 2 });
  report('ConfigMap create, HTTPS, p99', quantile(overHttps, 0.99), { unit: 'ms' });
  const [early, late] = [inProcess.slice(200, 500), inProcess.slice(-300)];
  report('the 2,000th create against the 200th', quantile(late, 0.5) / quantile(early, 0.5), { unit: '×', most: 1.5 });
}

async function measureFanOut(): Promise<void> {
  const stop = new AbortController();
  let missing = 0;
  let told = () => {};
  const { resourceVersion } = await client.list(configMaps, { namespace: 'default', limit: 1 });
  const follow = async () => {
    for await (const _event of client.watch(configMaps, { namespace: 'default', resourceVersion, signal: stop.signal }))
      if (--missing === 0) told();
  };
  const watchers = Array.from({ length: WATCHERS }, follow);
  await turn();
  const samples: number[] = [];
  for (let round = 0; round < 30; round++) {
    missing = WATCHERS;
    const all = new Promise<void>((resolve) => (told = resolve));
    const started = performance.now();
    await client.create(configMaps, configMap(`fan-${round}`));
    await all;
    samples.push(performance.now() - started);
  }
  stop.abort();
  await Promise.all(watchers);
  report(`one change, asked → seen by ${WATCHERS} watchers in process, p50`, quantile(samples, 0.5), {
    unit: 'ms',
    most: 15,
  });
  await measureStreams();
}

/** The same over connections of their own, to another process, at several numbers of them. */
async function measureStreams(): Promise<void> {
  await client.create(configMaps, configMap('stream'));
  for (const count of [100, 300, WATCHERS]) {
    const watchers = fork(new URL('watchers.ts', import.meta.url));
    const path =
      '/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dstream';
    const opened = once(watchers, 'message');
    watchers.send({ port: cluster.port, path, count, ...tls() } satisfies WatchOrder);
    await opened;
    const samples: number[] = [];
    const used: { readonly server: number; readonly clients: number }[] = [];
    for (let round = 0; round < 21; round++) {
      const all = once(watchers, 'message') as Promise<[SeenByAll]>;
      const started = performance.now();
      const body = { data: { round: `${count} ${round}` } };
      await client.patch(configMaps, { namespace: 'default', name: 'stream' }, { kind: 'merge', body });
      const [{ all: clients }] = await all;
      samples.push(performance.now() - started);
      used.push({ server: usedMs(), clients });
    }
    watchers.kill();
    const what = `the same by ${count} TLS connections of another process`;
    report(`${what}, p50`, quantile(samples, 0.5), { unit: 'ms' });
    for (const side of ['server', 'clients'] as const) {
      const each = (used.at(-1)![side] - used[0]![side]) / (used.length - 1);
      report(`${what}: processor time of the ${side}`, each, { unit: 'ms' });
    }
  }
}

function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function measureLists(): Promise<void> {
  const resource = `/api/v1/namespaces/default/pods`;
  await client.create(resources.serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  const createMs: number[] = [];
  for (let index = 0; index < PODS; index++) {
    const started = performance.now();
    await client.create(pods, pod(index));
    createMs.push(performance.now() - started);
  }
  report('Pod create, in process, p50', quantile(createMs, 0.5), { unit: 'ms' });
  report(
    'the last 1,000 pods against the first',
    quantile(createMs.slice(-1000), 0.5) / quantile(createMs.slice(200, 1200), 0.5),
    {
      unit: '×',
      most: 1.5,
    },
  );
  const whole = [];
  const paged = [];
  for (let round = 0; round < ROUNDS; round++) {
    whole.push(await rate(async () => (await fetchBytes(resource)).size));
    paged.push(await rate(() => fetchPages(resource)));
  }
  report(`list of ${PODS} pods, HTTPS, at once`, quantile(whole, 0.5), { unit: 'MB/s', least: 50 });
  report(`list of ${PODS} pods, HTTPS, pages of 500`, quantile(paged, 0.5), { unit: 'MB/s', least: 50 });
  const protobuf = await times(ROUNDS, async () => void (await fetchBytes(resource, protobufType)));
  report(`list of ${PODS} pods in protobuf, HTTPS, at once, p50`, quantile(protobuf, 0.5), { unit: 'ms' });
  const table = await times(ROUNDS, async () => void (await fetchBytes(`${resource}?limit=500`, tableType)));
  report('first page of 500 as a table', quantile(table, 0.5), { unit: 'ms' });
  const selected = await times(
    ROUNDS,
    async () => void (await client.list(pods, { namespace: 'default', labelSelector: 'app=a1' })),
  );
  report(`list by label among ${PODS}, in process`, quantile(selected, 0.5), { unit: 'ms' });
}

function fetchBytes(
  path: string,
  accept = 'application/json',
): Promise<{ readonly size: number; readonly next: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly size: number; readonly next: string }>();
  request({ host: '127.0.0.1', port: cluster.port, path, agent, ...tls(), headers: { accept } }, (response) => {
    let size = 0;
    let head = '';
    response.on('data', (piece: Buffer) => {
      if (!size) head = piece.toString('latin1', 0, 512);
      size += piece.length;
    });
    response.on('end', () => resolve({ size, next: /"continue":"([^"]+)"/.exec(head)?.[1] ?? '' }));
  })
    .on('error', reject)
    .end();
  return promise;
}

async function fetchPages(path: string): Promise<number> {
  let total = 0;
  let next = '';
  do {
    const page = await fetchBytes(`${path}?limit=500${next && `&continue=${next}`}`);
    total += page.size;
    next = page.next;
  } while (next);
  return total;
}

function tls() {
  return { ca: ca.certificatePem, cert: identity.certificatePem, key: identity.keyPem };
}

async function rate(work: () => Promise<number>): Promise<number> {
  const started = performance.now();
  const bytes = await work();
  return bytes / 1e6 / ((performance.now() - started) / 1000);
}

async function times(count: number, work: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < count; index++) {
    const started = performance.now();
    await work(index);
    samples.push(performance.now() - started);
  }
  return samples;
}

function quantile(samples: readonly number[], at: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]!;
}

function report(
  what: string,
  value: number,
  { unit, most, least }: { readonly unit: string; readonly most?: number; readonly least?: number },
): void {
  const isGood = (most === undefined || value <= most) && (least === undefined || value >= least);
  isMet &&= isGood;
  const target = most === undefined ? (least === undefined ? '' : `≥ ${least}`) : `≤ ${most}`;
  console.log(
    `${what.padEnd(72)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(5)} ${target}${isGood ? '' : '  missed'}`,
  );
}

function memoryMiB(): number {
  return process.memoryUsage().rss / 2 ** 20;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function configMap(name: string): types.ConfigMap {
  return { metadata: { namespace: 'default', name }, data: { text: 'x'.repeat(500) } };
}

function pod(index: number): types.Pod {
  const probe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 5 };
  const container = (name: string) => ({
    name,
    image: 'registry.example/app:1',
    env: Array.from({ length: 10 }, (_, number) => ({ name: `VARIABLE_${number}`, value: 'a value of usual length' })),
    readinessProbe: probe,
    livenessProbe: probe,
    resources: { requests: { cpu: '100m', memory: '64Mi' } },
  });
  return {
    metadata: { namespace: 'default', name: `pod-${index}`, labels: { app: `a${index % 100}` } },
    spec: { containers: [container('web'), container('side')] },
  };
}

function noPorts(): ClusterPorts {
  return {
    tokenAuthenticators: [],
    authorizers: [],
    admissionPlugins: [],
    dialKubelet: () => Promise.reject(new Error('there are no nodes')),
  };
}
