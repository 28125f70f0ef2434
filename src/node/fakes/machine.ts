import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DabbaError, type ErrorKind, silentLogger, systemClock, systemRandom } from '#base';
import { FakeEngine } from '#engine/fake';
import type { NetworkInterface, NetworkPlane } from '#network';
import { networkRecords, recordId } from '#network';
import { type Store, memoryStore } from '#store';
import type { SandboxCgroups } from '../cgroups.ts';
import type { LogLine, SandboxServices } from '../ports.ts';
import {
  type ContainerSpec,
  type Node,
  type NodeRecords,
  type SandboxSpec,
  type SandboxStatus,
  nodeRecords,
  sandboxKey,
} from '../sandbox.ts';
import { type NodeWorker, createNodeWorker } from '../worker.ts';

const node: Node = { id: 'n1', zoneLetter: 'a', cpuUnits: 4096, memoryMiB: 8192, machineId: 'm1', startedAt: 0 };

/** A machine of memory, with a real worker on it. */
export class FakeMachine implements AsyncDisposable {
  readonly store: Store = memoryStore();
  readonly records: NodeRecords = nodeRecords(this.store);
  readonly engine = new FakeEngine();
  readonly interfaces = new Set<string>();
  readonly cgroups: string[] = [];
  readonly lines: LogLine[] = [];
  /** Failures of the services, by call. */
  readonly failures = new Map<
    'pullCredentials' | 'openLog' | 'attach' | 'write',
    { kind: ErrorKind; message: string }
  >();
  readonly #directory = mkdtempSync(join(tmpdir(), 'dabba-node-'));
  #worker: NodeWorker | undefined;

  async start(): Promise<void> {
    this.#worker = createNodeWorker({
      store: this.store,
      engine: this.engine,
      network: this.#network(),
      services: this.#services(),
      cgroups: this.#fakeCgroups(),
      nodes: [node],
      stateDirectory: this.#directory,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    await this.#worker.start();
  }

  /** What `kill -9` leaves of a worker, as near as one process can come: it lets go, and nothing of it is undone. */
  async stop(): Promise<void> {
    await this.#worker?.stop();
    this.#worker = undefined;
  }

  async addInterface(id: string): Promise<void> {
    const eni: NetworkInterface = {
      id,
      tenant: 't',
      region: 'r',
      tags: {},
      createdAt: 0,
      vpcId: 'vpc-1',
      subnetId: 'subnet-1',
      zone: 'ra',
      description: '',
      privateIp: '10.0.0.4',
      macAddress: '02:00:00:00:00:01',
      securityGroupIds: [],
      sourceDestCheck: true,
    };
    await networkRecords(this.store).networkInterfaces.create(recordId(eni), eni);
  }

  async run(spec: SandboxSpec): Promise<void> {
    await this.records.specs.create(sandboxKey(spec), spec);
  }

  async askToStop(spec: SandboxSpec): Promise<void> {
    await this.records.specs.update(sandboxKey(spec), (seen) => ({ ...seen, desired: 'stopped' }));
  }

  async status(spec: SandboxSpec): Promise<SandboxStatus | undefined> {
    return (await this.records.statuses.get(sandboxKey(spec)))?.value;
  }

  /** Resolves when the sandbox's status is as wanted. */
  async until(spec: SandboxSpec, wanted: (status: SandboxStatus) => boolean): Promise<SandboxStatus> {
    const key = this.records.statuses.key(sandboxKey(spec));
    const signal = AbortSignal.timeout(10_000);
    for await (const { events } of this.store.watch(key, { fromRevision: 1, signal }))
      for (const event of events) {
        if (event.kind !== 'put') continue;
        const { value } = this.records.statuses.read(event.entry);
        const current = await this.status(spec);
        if (wanted(value) && current && wanted(current)) return current;
      }
    throw new Error(`the status stayed ${JSON.stringify(await this.status(spec))}`);
  }

  /** Waits for something that no status tells of. */
  async eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = systemClock.now() + 10_000; !(await holds()); await pause(1))
      if (systemClock.now() > deadline) throw new Error(`never: ${what}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.store.close();
    rmSync(this.#directory, { recursive: true });
  }

  #network(): NetworkPlane {
    const refuse = () => {
      throw new Error('not for a worker');
    };
    return {
      start: refuse,
      stop: refuse,
      destroy: refuse,
      serveLinkLocal: refuse,
      serveAt: refuse,
      attached: () => [...this.interfaces],
      get bridges() {
        return refuse();
      },
      get clusters() {
        return refuse();
      },
      attach: async ({ id, privateIp }) => {
        this.#fail('attach');
        this.interfaces.add(id);
        this.engine.log.push(`attach ${id}`);
        return {
          netnsPath: `/run/netns/${id}`,
          privateIp,
          prefixLength: 24,
          gateway: '10.0.0.1',
          nameservers: ['10.0.0.2'],
          searchDomains: ['r.compute.internal'],
          privateDnsName: 'ip-10-0-0-4.r.compute.internal',
        };
      },
      detach: async (id) => {
        this.interfaces.delete(id);
        this.engine.log.push(`detach ${id}`);
      },
    };
  }

  #services(): SandboxServices {
    return {
      pullCredentials: async () => {
        this.#fail('pullCredentials');
        return { username: 'u', password: 'p' };
      },
      openLog: async () => {
        this.#fail('openLog');
        return {
          write: async (lines) => {
            this.#fail('write');
            this.lines.push(...lines);
          },
          close: async () => undefined,
        };
      },
      environment: () => ({ METADATA: 'http://169.254.170.2' }),
    };
  }

  #fakeCgroups(): SandboxCgroups {
    return {
      ensure: (path) => void this.cgroups.push(`ensure ${path}`),
      capCpu: (path, { cpuUnits }) => void this.cgroups.push(`cap ${path} ${cpuUnits}`),
      usage: () => undefined,
      remove: (path) => void this.cgroups.push(`remove ${path}`),
    };
  }

  #fail(call: Parameters<typeof this.failures.get>[0]): void {
    const failure = this.failures.get(call);
    if (failure) throw new DabbaError(failure.kind, failure.message);
  }
}

let made = 0;

/** A spec on the fake machine's node; its containers are those given, completed. */
export function sandbox(
  containers: readonly (Partial<ContainerSpec> & { readonly name: string })[],
  more: Partial<SandboxSpec> = {},
): SandboxSpec {
  return {
    id: `s${++made}`,
    nodeId: node.id,
    tenant: 't',
    region: 'r',
    desired: 'running',
    volumes: [],
    identity: 'arn',
    containers: containers.map((container) => ({
      image: `registry.test/${container.name}:1`,
      isEssential: true,
      environment: {},
      mounts: [],
      dependsOn: [],
      stopTimeoutMs: 30_000,
      labels: {},
      ...container,
    })),
    ...more,
  };
}
