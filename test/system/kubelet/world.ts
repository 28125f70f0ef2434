import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom, type Logger } from '#base';
import type { Engine } from '#engine';
import { createClientCertificate, resources } from '#kubernetes';
import {
  createKubelets,
  HttpClient,
  informersOf,
  kubeletRecords,
  kubeletSocket,
  type KubeletRecord,
  type Kubelets,
} from '#kubernetes/kubelet';
import { makeTestCluster, type TestCluster } from '../../../src/kubernetes/test-cluster.ts';
import { eventually } from '../../harness/machine.ts';
import { engineAt, importBusybox, makeHome, type EngineHome } from '../engine.ts';
import { allowAll, World } from '../network/world.ts';

const tools = '/usr/lib/google-cloud-sdk/bin';
const machineId = 'm';
const [tenant, region] = ['000000000000', 'us-east-1'];
export const nodeName = 'node-1';

/** How `kubectl` ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A cluster with one real node on this machine: API server, network plane, engine, kubelet. */
export class NodeWorld implements AsyncDisposable {
  readonly home: EngineHome = makeHome();
  readonly network = new World();
  readonly directory = mkdtempSync(join(tmpdir(), 'kubelet-'));
  readonly #logger: Logger;
  engine: Engine;
  cluster: TestCluster | undefined;
  kubelets: Kubelets | undefined;
  #addresses = 20;

  constructor(logger: Logger = silentLogger) {
    this.#logger = logger;
    this.engine = engineAt(this.home);
  }

  async start(): Promise<void> {
    await this.network.plane.start();
    const vpcId = await this.network.vpc('a', '10.0.0.0/16', ['10.0.0.0/20'], { isPublic: true });
    await this.network.group(vpcId, 'sg-a', [allowAll]);
    await this.network.eni('eni-node', 'subnet-a-0', '10.0.0.10', { securityGroupIds: ['sg-a'] });
    await this.engine.start();
    await importBusybox(this.engine);
    this.cluster = await makeTestCluster({
      logger: this.#logger,
      components: ['controllers', 'scheduler'],
      ports: {
        dialKubelet: async (_node, signal) => {
          const socket = connect(kubeletSocket(this.#sockets(), 'i-1'));
          signal.addEventListener('abort', () => socket.destroy(), { once: true });
          await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
          return socket;
        },
      },
    });
    const { client, settings } = this.cluster;
    for (const namespace of ['default', 'kube-node-lease'])
      await client.create(resources.namespaces, { metadata: { name: namespace } }).catch(() => undefined);
    await client
      .create(resources.serviceAccounts, { metadata: { namespace: 'default', name: 'default' } })
      .catch(() => undefined);
    const data = { 'ca.crt': settings.ca.certificatePem };
    await client
      .create(resources.configMaps, { metadata: { namespace: 'default', name: 'kube-root-ca.crt' }, data })
      .catch(() => undefined);
    await kubeletRecords(this.network.store).create(`${machineId}/i-1`, await this.#record());
    this.#writeKubeconfig();
    await this.startKubelets();
    await eventually('the node is ready', 20_000, async () =>
      (await this.kubectl('get', 'nodes')).stdout.includes(' Ready'),
    );
  }

  async startKubelets(): Promise<void> {
    const { store, plane } = this.network;
    const common = { clock: systemClock, random: systemRandom, logger: this.#logger };
    this.kubelets = createKubelets({
      ...common,
      store,
      plane,
      engine: this.engine,
      services: {
        assignAddress: async ({ uid }) => {
          const id = `eni-${uid}`;
          const known = await this.network.records().networkInterfaces.get(`${tenant}/${region}/${id}`);
          const more = { securityGroupIds: ['sg-a'] };
          return known?.value ?? (await this.network.eni(id, 'subnet-a-0', `10.0.0.${this.#addresses++}`, more));
        },
        releaseAddress: async ({ uid }) =>
          await this.network.records().networkInterfaces.delete(`${tenant}/${region}/eni-${uid}`),
        pullCredentials: async () => undefined,
      },
      filters: { hold: async () => undefined },
      machineId,
      stateDirectory: join(this.directory, 'kubelets'),
      socketDirectory: this.#sockets(),
      cgroupParent: `/dabba-${this.home.instance}`,
      connect: (node, signal) => {
        const { server, certificateAuthorityPem } = node.cluster;
        const client = new HttpClient({ server, certificateAuthorityPem, identity: node, fieldManager: 'kubelet' });
        return { client, informers: informersOf({ ...common, client, signal }) };
      },
    });
    await this.kubelets.start();
  }

  /** As if the host had been killed, as near as one process can come: all let go, a new engine and new kubelets find what there is. */
  async restartHost(): Promise<void> {
    await this.kubelets?.stop();
    await this.engine.stop();
    this.engine = engineAt(this.home);
    await this.engine.start();
    await this.startKubelets();
  }

  async removeNode(): Promise<void> {
    await kubeletRecords(this.network.store).delete(`${machineId}/i-1`);
    await eventually('the node is gone', 20_000, async () => (await this.kubelets!.nodes()) === 0);
  }

  /** Runs `kubectl`, of some version when the first word names one: `kubectl.1.28`. */
  kubectl(...words: readonly string[]): Promise<Ran> {
    return this.kubectlWith('', ...words);
  }

  kubectlWith(input: string, ...words: readonly string[]): Promise<Ran> {
    const [file, args] = this.#command(words);
    return new Promise((resolve) => {
      const child = execFile(
        file,
        args,
        { env: this.#environment(), timeout: 240_000, maxBuffer: 1 << 24 },
        (error, stdout, stderr) => {
          resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
        },
      );
      child.stdin?.end(input);
    });
  }

  /** Starts a `kubectl` that goes on. */
  spawnKubectl(...words: readonly string[]): ChildProcess {
    const [file, args] = this.#command(words);
    return spawn(file, args, { env: this.#environment(), stdio: ['pipe', 'pipe', 'pipe'] });
  }

  async apply(object: object): Promise<void> {
    const { code, stderr } = await this.kubectlWith(JSON.stringify(object), 'apply', '--validate=false', '-f', '-');
    if (code !== 0) throw new Error(stderr);
  }

  /** Creates a pod of the busybox image, bound to the node. */
  async run(
    name: string,
    line: string,
    more: { readonly spec?: object; readonly container?: object } = {},
  ): Promise<void> {
    await this.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: {
        nodeName,
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'c',
            image: 'busybox',
            imagePullPolicy: 'IfNotPresent',
            command: ['sh', '-c', line],
            ...more.container,
          },
        ],
        ...more.spec,
      },
    });
  }

  async runReady(
    name: string,
    line: string,
    more: { readonly spec?: object; readonly container?: object } = {},
  ): Promise<void> {
    await this.run(name, line, more);
    const { code, stderr } = await this.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=80s');
    if (code !== 0) throw new Error(`${stderr}\n${(await this.kubectl('describe', 'pod', name)).stdout}`);
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.kubectl('delete', 'pod', ...names, '--wait=true');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kubelets?.stop();
    await this.kubelets?.destroy();
    await this.cluster?.[Symbol.asyncDispose]();
    await this.engine.destroy();
    await this.network[Symbol.asyncDispose]();
    rmSync(this.home.directory, { recursive: true, force: true });
    rmSync(this.home.runtimeDirectory, { recursive: true, force: true });
    rmSync(this.directory, { recursive: true, force: true });
  }

  #sockets(): string {
    return join(this.directory, 'run');
  }

  #command(words: readonly string[]): readonly [string, string[]] {
    const [first = '', ...rest] = words;
    return first.startsWith('kubectl.') ? [join(tools, first), rest] : [join(tools, 'kubectl.1.32'), [...words]];
  }

  #environment(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], HOME: this.directory, KUBECONFIG: join(this.directory, 'kubeconfig') };
  }

  async #record(): Promise<KubeletRecord> {
    const { settings, port } = this.cluster!;
    const user = { username: `system:node:${nodeName}`, groups: ['system:nodes'] };
    const parts = { clock: systemClock, random: systemRandom };
    return {
      id: 'i-1',
      nodeName,
      tenant,
      region,
      zone: 'us-east-1a',
      cluster: {
        id: settings.id,
        name: settings.name,
        server: `https://127.0.0.1:${port}`,
        certificateAuthorityPem: settings.ca.certificatePem,
        dnsAddress: settings.dnsAddress,
        domain: settings.domain,
        serviceCidr: settings.serviceCidr,
      },
      ...(await createClientCertificate(settings.ca, user, parts)),
      labels: {},
      taints: [],
      providerId: 'aws:///us-east-1a/i-1',
      networkInterfaceId: 'eni-node',
      cpuMillis: 2000,
      memoryMiB: 2048,
      maxPods: 110,
    };
  }

  #writeKubeconfig(): void {
    const { credentials, port, settings } = this.cluster!;
    mkdirSync(this.directory, { recursive: true });
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [
        {
          name: 'c',
          cluster: {
            server: `https://127.0.0.1:${port}`,
            'certificate-authority-data': base64(settings.ca.certificatePem),
          },
        },
      ],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      users: [
        {
          name: 'u',
          user: {
            'client-certificate-data': base64(credentials.certificatePem),
            'client-key-data': base64(credentials.keyPem),
          },
        },
      ],
    };
    writeFileSync(join(this.directory, 'kubeconfig'), JSON.stringify(config));
  }
}
