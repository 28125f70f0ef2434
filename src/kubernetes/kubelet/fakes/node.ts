import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, silentLogger, systemRandom } from '#base';
import { FakeEngine } from '#engine/fake';
import { networkRecords, type NetworkInterface, type NetworkPlane, recordId } from '#network';
import { memoryStore, type Store } from '#store';
import type { Informers } from '../../client/informer.ts';
import { MemoryClient } from '../../client/memory-client.ts';
import { MemoryInformers } from '../../client/memory-informers.ts';
import { events, pods } from '../../resources.ts';
import type * as types from '../../types.ts';
import { createKubelets, kubeletRecords, type Kubelets } from '../kubelets.ts';
import type { KubeletRecord } from '../ports.ts';

export const image = 'registry.test/app:1';

export const node: KubeletRecord = {
  id: 'i-1',
  nodeName: 'ip-10-0-0-5.ec2.internal',
  tenant: 't',
  region: 'r',
  zone: 'ra',
  cluster: {
    id: 'c-1',
    name: 'c',
    server: 'https://127.0.0.1:1',
    certificateAuthorityPem: '',
    dnsAddress: '172.20.0.10',
    domain: 'cluster.local',
    serviceCidr: '172.20.0.0/16',
  },
  certificatePem: '',
  keyPem: '',
  labels: { pool: 'a' },
  taints: [],
  providerId: 'aws:///ra/i-1',
  networkInterfaceId: 'eni-node',
  cpuMillis: 2000,
  memoryMiB: 2048,
  maxPods: 10,
};

const plenty = { available: 2 ** 40, least: 0 };

/** A machine of memory with one node on it, and a cluster of memory. Its clock stands still until it is moved. */
export class FakeNode implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly engine = new FakeEngine(() => this.clock.now());
  readonly client = new MemoryClient({ clock: this.clock });
  informers: Informers = new MemoryInformers(this.client);
  readonly store: Store = memoryStore();
  readonly interfaces = new Set<string>();
  readonly assigned = new Set<string>();
  readonly cgroups = new Set<string>();
  /** Bytes that pods hold, by name. */
  readonly memoryHeld = new Map<string, number>();
  diskAvailable = 2 ** 40;
  readonly directory = mkdtempSync(join(tmpdir(), 'kubelet-'));
  kubelets: Kubelets | undefined;

  constructor() {
    this.engine.local.add(image);
  }

  async start(): Promise<void> {
    const records = networkRecords(this.store).networkInterfaces;
    const eni = networkInterface('eni-node', '10.0.0.5');
    if (!(await records.get(recordId(eni)))) {
      await records.create(recordId(eni), eni);
      await kubeletRecords(this.store).create('m/i-1', node);
    }
    this.kubelets = createKubelets({
      store: this.store,
      engine: this.engine,
      plane: this.#plane(),
      services: {
        assignAddress: async ({ uid }) => {
          this.assigned.add(uid);
          return networkInterface(`eni-${uid}`, '10.0.0.9');
        },
        releaseAddress: async ({ uid }) => void this.assigned.delete(uid),
        pullCredentials: async () => undefined,
      },
      filters: { hold: async () => undefined },
      cgroups: {
        ensure: (path) => void this.cgroups.add(path),
        capCpu: () => undefined,
        usage: (path) => ({ cpuNs: 0, memoryBytes: this.#memoryHeldIn(path), idleBytes: 0 }),
        remove: (path) => this.cgroups.forEach((each) => each.startsWith(path) && this.cgroups.delete(each)),
      },
      memoryFiles: { ensure: () => undefined, ensureIpc: async () => undefined, removeBeneath: () => undefined },
      blockDevices: { ensure: (file) => `/dev/fake${file}`, release: () => undefined },
      readScarcity: async () => ({
        disk: { available: this.diskAvailable, least: 2 ** 30 },
        inodes: plenty,
        pids: plenty,
      }),
      cgroupParent: '/test',
      stateDirectory: join(this.directory, 'state'),
      socketDirectory: join(this.directory, 'run'),
      machineId: 'm',
      clock: this.clock,
      random: systemRandom,
      logger: silentLogger,
      connect: () => ({ client: this.client, informers: this.informers }),
    });
    await this.kubelets.start();
  }

  /** What `kill -9` leaves of a kubelet, as near as one process can come: it lets go, and nothing of it is undone. */
  async stop(): Promise<void> {
    await this.kubelets?.stop();
    this.kubelets = undefined;
  }

  /** Makes the machine one more node. */
  async addNode(own: Partial<KubeletRecord> & Pick<KubeletRecord, 'id' | 'nodeName'>): Promise<void> {
    await kubeletRecords(this.store).create(`m/${own.id}`, { ...node, ...own });
  }

  async removeNode(id = node.id): Promise<void> {
    await kubeletRecords(this.store).delete(`m/${id}`);
  }

  /** Creates a pod that is bound to the node. */
  async run(spec: Partial<types.PodSpec>, metadata: types.ObjectMeta = {}): Promise<types.Pod> {
    const containers = spec.containers ?? [{ name: 'web', image }];
    return await this.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'default', name: 'p', ...metadata },
      spec: { nodeName: node.nodeName, restartPolicy: 'Always', ...spec, containers },
    });
  }

  pod(name = 'p'): types.Pod | undefined {
    return this.client.all(pods).find(({ metadata }) => metadata?.name === name);
  }

  /** The engine's name of a run of a container of pod `p`. */
  runOf(container: string, attempt = 0, name = 'p'): string {
    return `${this.pod(name)?.metadata?.uid}-${container}-${attempt}`;
  }

  /** Resolves with the pod's status when it is as wanted. */
  async until(wanted: (status: types.PodStatus) => boolean, name = 'p'): Promise<types.PodStatus> {
    return await this.#when(`status of ${name}`, () => {
      const status = this.pod(name)?.status;
      return status && wanted(status) ? status : undefined;
    });
  }

  async untilGone(name = 'p'): Promise<void> {
    await this.#when(`${name} is gone`, () => this.pod(name) === undefined || undefined);
  }

  async untilLogged(line: string): Promise<void> {
    await this.#when(line, () => this.engine.log.includes(line) || undefined);
  }

  async untilTrue(what: string, holds: () => boolean): Promise<void> {
    await this.#when(what, () => holds() || undefined);
  }

  /** Reasons of the events there are, in order. */
  async reasons(): Promise<readonly string[]> {
    return this.client.all(events).map(({ reason }) => reason ?? '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.store.close();
    rmSync(this.directory, { recursive: true });
  }

  /** Looks again at every turn of the event loop: what is awaited is work of this very process. */
  async #when<T>(what: string, look: () => T | undefined): Promise<T> {
    for (const deadline = performance.now() + 5_000; performance.now() < deadline;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const state = JSON.stringify({ status: this.pod()?.status, log: this.engine.log }, undefined, 1);
    throw new Error(`never: ${what}\n${state}`);
  }

  /** The cgroup of a pod, or of the node with all of them. */
  #memoryHeldIn(path: string): number {
    return Array.from(this.memoryHeld).reduce((sum, [name, bytes]) => {
      const isWithin = path === `/test/${node.id}` || path.endsWith(`pod${this.pod(name)?.metadata?.uid}`);
      return isWithin ? sum + bytes : sum;
    }, 0);
  }

  #plane(): Pick<NetworkPlane, 'attach' | 'detach'> {
    return {
      attach: async ({ id, privateIp }) => {
        this.interfaces.add(id);
        return {
          netnsPath: `/run/netns/${id}`,
          privateIp,
          prefixLength: 24,
          gateway: '10.0.0.1',
          nameservers: ['10.0.0.2'],
          searchDomains: ['ec2.internal'],
          privateDnsName: `ip-${privateIp.replaceAll('.', '-')}.ec2.internal`,
        };
      },
      detach: async (id) => void this.interfaces.delete(id),
    };
  }
}

export function networkInterface(id: string, privateIp: string): NetworkInterface {
  return {
    id,
    tenant: 't',
    region: 'r',
    tags: {},
    createdAt: 0,
    vpcId: 'vpc-1',
    subnetId: 'subnet-1',
    zone: 'ra',
    description: '',
    privateIp,
    macAddress: '02:00:00:00:00:01',
    securityGroupIds: [],
    sourceDestCheck: true,
  };
}
