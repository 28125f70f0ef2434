import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DabbaError } from '#base';
import type { PublishedPort } from '../bridges.ts';
import type { Cidr, Ipv4 } from '../model.ts';
import type { NumbersKept } from '../rules/balancing.ts';

/** A fabric that was, or is about to be, made. `slot` numbers its uplink on this machine. */
export type FabricRecord = {
  readonly key: string;
  readonly slot: number;
  readonly cidr: Cidr;
} & (
  | { readonly kind: 'vpc'; readonly vpcId: string; readonly region: string }
  | { readonly kind: 'bridge'; readonly name: string }
);

/** An interface that was, or is about to be, made in a fabric. */
export interface InterfaceRecord {
  readonly key: string;
  readonly fabric: string;
  /** Id of the network interface, or of the engine's endpoint. */
  readonly id: string;
  /** Id of the store's record, for network interfaces of a VPC. */
  readonly recordId?: string;
  /** Name of its link in the fabric. */
  readonly link: string;
  readonly privateIp: Ipv4;
  /** Set for an endpoint of the engine. */
  readonly endpoint?: EndpointRecord;
}

export interface EndpointRecord {
  readonly sandboxId: string;
  readonly networkId: string;
  /** Its link's name in the sandbox. */
  readonly device: string;
  readonly macAddress: string;
  readonly names: readonly string[];
  readonly nameservers?: readonly string[];
}

/** A sandbox of the engine, recorded when it has published ports or no endpoint left. */
export interface SandboxRecord {
  readonly key: string;
  readonly sandboxId: string;
  readonly ports: readonly PublishedPort[];
}

/** A cluster whose rules a fabric has, or is about to have. `slot` numbers it within its VPC and decides the ports of its listeners. */
export interface ClusterRecord {
  readonly key: string;
  readonly vpcId: string;
  readonly clusterId: string;
  readonly slot: number;
  /** Which numbers stand for its groups in the kernel; not in records of earlier versions. */
  readonly numbers?: NumbersKept;
}

/** Names the namespace an interface is in: endpoints of one sandbox share theirs. */
export function namespaceKey({ key, endpoint }: Pick<InterfaceRecord, 'key' | 'endpoint'>): string {
  return endpoint ? recordKey('endpoint', endpoint.sandboxId) : key;
}

/**
 * Records of kernel objects, one JSON file each, written before the object is made. They are replaced by rename but not synced: what they
 * speak of does not outlive the machine's uptime either, so surviving SIGKILL is enough. A folder that says `isDurable` is for what does.
 */
export class RecordFolder<T extends { readonly key: string }> {
  readonly #directory: string;
  readonly #isDurable: boolean;
  readonly #records = new Map<string, T>();

  constructor(directory: string, { isDurable = false }: { readonly isDurable?: boolean } = {}) {
    this.#directory = directory;
    this.#isDurable = isDurable;
  }

  /** Reads what an earlier process left. */
  load(): void {
    mkdirSync(this.#directory, { recursive: true });
    this.#records.clear();
    for (const name of readdirSync(this.#directory)) {
      if (!name.endsWith('.json')) continue;
      // Written by `put` of an earlier process of ours; nobody else writes here.
      const record = JSON.parse(readFileSync(join(this.#directory, name), 'utf8')) as T;
      this.#records.set(record.key, record);
    }
  }

  get(key: string): T | undefined {
    return this.#records.get(key);
  }

  all(): readonly T[] {
    return [...this.#records.values()];
  }

  put(record: T): void {
    const path = this.#path(record.key);
    writeFileSync(`${path}.new`, JSON.stringify(record), { flush: this.#isDurable });
    renameSync(`${path}.new`, path);
    if (this.#isDurable) this.#syncDirectory();
    this.#records.set(record.key, record);
  }

  delete(key: string): void {
    rmSync(this.#path(key), { force: true });
    if (this.#isDurable) this.#syncDirectory();
    this.#records.delete(key);
  }

  #syncDirectory(): void {
    const descriptor = openSync(this.#directory, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.json`);
  }
}

/** A file name made of a kind and an id from outside. Throws `InvalidArgument` for an id that is no plain name. */
export function recordKey(kind: 'vpc' | 'bridge' | 'eni' | 'endpoint' | 'cluster', id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id))
    throw new DabbaError('InvalidArgument', `"${id}" is not a usable name of a network object`);
  return `${kind}.${id}`;
}
