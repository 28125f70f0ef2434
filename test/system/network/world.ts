import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { silentLogger, systemClock, systemRandom } from '#base';
import { listenTcp, openNetworkNamespace } from '#kernel';
import {
  macAddressOf,
  networkRecords,
  recordId,
  type BridgeNetwork,
  type BridgeRequest,
  type Endpoint,
  type EndpointRequest,
  type NetworkInterface,
  type NetworkPlane,
  type SecurityGroupRule,
} from '#network';
import { createLinuxNetworkPlane, type LinuxNetworkPlaneOptions } from '#network/linux';
import { memoryStore, type Store } from '#store';

const tenant = '000000000000';
const region = 'us-east-1';
const owned = { tenant, region, tags: {}, createdAt: 0 };

/** Everything of the network that a machine shows, for comparing before and after. */
export function traces(): string {
  const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8' });
  return [
    readlinkSync('/proc/thread-self/ns/net'),
    run('ip', '-o', 'link', 'show'),
    run('ip', 'route', 'show', 'table', 'all'),
    run('nft', 'list', 'tables'),
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes('dabba-network'))
      .join('\n'),
    readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  ].join('\n--\n');
}

/** A plane of its own over a store of its own, with shorthand for the records that EC2 would write. */
export class World {
  readonly store: Store;
  readonly directory: string;
  readonly options: LinuxNetworkPlaneOptions;
  readonly plane: NetworkPlane;
  readonly #servers: Server[] = [];

  constructor(options: Partial<LinuxNetworkPlaneOptions> = {}) {
    this.store = options.store ?? memoryStore();
    this.directory = mkdtempSync(join(tmpdir(), 'dabba-network-'));
    this.options = {
      store: this.store,
      stateDirectory: join(this.directory, 'state'),
      runtimeDirectory: join(this.directory, 'run'),
      publicCidr: `198.19.${16 + Math.floor(Math.random() * 200)}.0/24`,
      instance: systemRandom.text(6, 'abcdefghijklmnopqrstuvwxyz'),
      clock: systemClock,
      logger: silentLogger,
      ...options,
    };
    this.plane = createLinuxNetworkPlane(this.options);
  }

  records() {
    return networkRecords(this.store);
  }

  /** A VPC with one subnet per block, an attached internet gateway and a main route to it. */
  async vpc(name: string, cidr: string, subnets: readonly string[], options: { readonly isPublic: boolean }) {
    const records = this.records();
    const vpcId = `vpc-${name}`;
    const gateway = { ...owned, id: `igw-${name}`, vpcId };
    await records.vpcs.create(recordId({ tenant, region, id: vpcId }), {
      ...owned,
      id: vpcId,
      cidr,
      isDefault: false,
      enableDnsSupport: true,
      enableDnsHostnames: true,
    });
    await records.internetGateways.create(recordId(gateway), gateway);
    const table = {
      ...owned,
      id: `rtb-${name}`,
      vpcId,
      isMain: true,
      associations: [],
      routes: [
        { destination: cidr, target: { kind: 'local' as const } },
        ...(options.isPublic
          ? [{ destination: '0.0.0.0/0', target: { kind: 'internet-gateway' as const, id: gateway.id } }]
          : []),
      ],
    };
    await records.routeTables.create(recordId(table), table);
    for (const [index, block] of subnets.entries()) {
      const subnet = {
        ...owned,
        id: `subnet-${name}-${index}`,
        vpcId,
        zone: 'us-east-1a',
        cidr: block,
        isDefaultForZone: false,
        mapPublicIpOnLaunch: false,
      };
      await records.subnets.create(recordId(subnet), subnet);
    }
    return vpcId;
  }

  async group(vpcId: string, id: string, ingress: readonly SecurityGroupRule[], egress = [allowAll]) {
    const group = { ...owned, id, vpcId, name: id, description: id, ingress, egress };
    await this.records().securityGroups.create(recordId(group), group);
    return id;
  }

  async setRules(
    groupId: string,
    rules: { ingress?: readonly SecurityGroupRule[]; egress?: readonly SecurityGroupRule[] },
  ) {
    await this.records().securityGroups.update(recordId({ tenant, region, id: groupId }), (group) => ({
      ...group,
      ...rules,
    }));
  }

  async eni(id: string, subnetId: string, privateIp: string, more: Partial<NetworkInterface>) {
    const eni: NetworkInterface = {
      ...owned,
      id,
      vpcId: `vpc-${subnetId.split('-')[1]}`,
      subnetId,
      zone: 'us-east-1a',
      description: '',
      privateIp,
      macAddress: macAddressOf(id),
      securityGroupIds: [],
      sourceDestCheck: true,
      ...more,
    };
    await this.records().networkInterfaces.create(recordId(eni), eni);
    return eni;
  }

  async attach(eni: NetworkInterface): Promise<string> {
    return (await this.plane.attach(eni)).netnsPath;
  }

  /** An engine network that resolves names. */
  async bridge(name: string, more: Partial<BridgeRequest> = {}): Promise<BridgeNetwork> {
    const id = systemRandom.hex(64);
    const rest = { isInternal: false, resolvesNames: true, labels: {}, options: {} };
    return await this.plane.bridges.create({ id, name, createdAt: 0, ...rest, ...more });
  }

  async join({ id }: BridgeNetwork, sandboxId: string, more: Partial<EndpointRequest> = {}): Promise<Endpoint> {
    return await this.plane.bridges.attach({ sandboxId, networkId: id, names: [sandboxId], ...more });
  }

  /** The address that an endpoint's resolver gives for a name. */
  async lookUp({ netnsPath, gateway }: Endpoint, name: string): Promise<string | undefined> {
    const out = await run(netnsPath, 'busybox', 'nslookup', '-type=a', name, gateway);
    return out === undefined ? undefined : /Name:.*\nAddress:\s*(\S+)/.exec(out)?.[1];
  }

  /** An address of the public pool. */
  publicIp(last: number): string {
    return this.options.publicCidr.replace(/0\/24$/, String(last));
  }

  /** Answers every connection inside a namespace with the peer's address, behind the server's name if it has one. */
  serve(netnsPath: string, port: number, name?: string): void {
    using namespace = openNetworkNamespace(netnsPath)!;
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(`${[name, socket.remoteAddress].filter(Boolean).join(' ')}\n`);
    });
    server.listen({ fd: listenTcp(namespace, { address: '0.0.0.0', port }) });
    this.#servers.push(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close();
    await this.plane.destroy();
    await this.store.close();
    rmSync(this.directory, { recursive: true });
  }
}

export const allowAll: SecurityGroupRule = {
  id: 'sgr-all',
  protocol: '-1',
  peer: { kind: 'cidr', cidr: '0.0.0.0/0' },
  tags: {},
};

export function allowTcp(port: number, peer: SecurityGroupRule['peer'] = allowAll.peer): SecurityGroupRule {
  return { id: `sgr-${port}`, protocol: 'tcp', fromPort: port, toPort: port, peer, tags: {} };
}

/** Runs a program, inside a namespace when one is given; resolves to its output, or undefined when it fails. */
export async function run(netnsPath: string | undefined, ...command: string[]): Promise<string | undefined> {
  const [file, ...args] = netnsPath ? ['nsenter', `--net=${netnsPath}`, ...command] : command;
  try {
    return (await promisify(execFile)(file!, args)).stdout;
  } catch {
    return undefined;
  }
}

/** What the server at an address says the peer is, or `unreachable`. */
export async function ask(netnsPath: string | undefined, address: string, port = 80): Promise<string> {
  const out = await run(netnsPath, 'curl', '-s', '--http0.9', '-m', '2', `http://${address}:${port}/`);
  return out?.trim() || 'unreachable';
}

/** Resolves once `check` holds: the daemon applies records soon after they are written, not within the write. */
export async function eventually(check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`still not so: ${check}`);
    await setTimeout(10);
  }
}
