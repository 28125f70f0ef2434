import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError } from '#base';
import type { Cidr, Ipv4 } from '../model.ts';

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
}

/**
 * Records of kernel objects, one JSON file each, written before the object is made. They are replaced by rename but not synced: what they
 * speak of does not outlive the machine's uptime either, so surviving SIGKILL is enough.
 */
export class RecordFolder<T extends { readonly key: string }> {
  readonly #directory: string;
  readonly #records = new Map<string, T>();

  constructor(directory: string) {
    this.#directory = directory;
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
    writeFileSync(`${path}.new`, JSON.stringify(record));
    renameSync(`${path}.new`, path);
    this.#records.set(record.key, record);
  }

  delete(key: string): void {
    rmSync(this.#path(key), { force: true });
    this.#records.delete(key);
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.json`);
  }
}

/** A file name made of a kind and an id from outside. Throws `InvalidArgument` for an id that is no plain name. */
export function recordKey(kind: 'vpc' | 'bridge' | 'eni' | 'endpoint', id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id))
    throw new DabbaError('InvalidArgument', `"${id}" is not a usable name of a network object`);
  return `${kind}.${id}`;
}
