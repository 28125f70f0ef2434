import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, messageOf, type Logger } from '#base';
import { isNamespace, removeNetworkNamespace } from '#kernel';
import { freeSlot } from '../link-plan.ts';
import type { Ipv4 } from '../model.ts';
import { Fabric } from './fabric.ts';
import { ensureInterface, removeInterface, unplugInterface, type InterfacePlan } from './interface.ts';
import { OpenListeners, type Listener } from './listeners.ts';
import type { Machine } from './machine.ts';
import { AppliedRulesets, type DueTables, type Refusals, type RunNft } from './nft.ts';
import { namespaceKey, type FabricRecord, type InterfaceRecord, type RecordFolder } from './state.ts';

/** What decides the rules and listeners of one kind of fabric: `Vpcs` and `EngineNetworks`. */
export interface FabricKind {
  /** The rules due now, and the public addresses that lead here. */
  due(record: FabricRecord): DueTables & { readonly publicIps: readonly Ipv4[] };
  /** What the fabric serves now. */
  listeners(record: FabricRecord): readonly Listener[];
}

interface OpenFabric {
  readonly fabric: Fabric;
  readonly rules: AppliedRulesets;
  readonly listeners: OpenListeners;
  /** No foreign firewall drops what its uplink carries, as far as was seen when it was made. */
  hasPassage: boolean;
}

/** A record without the slot, which is ours to choose. */
type Unslotted<T> = T extends unknown ? Omit<T, 'slot'> : never;

/** Every fabric and interface on this machine, recorded before they are made. Changes to the kernel happen at once; rules follow. */
export class Fabrics {
  readonly #machine: Machine;
  readonly #runNft: RunNft;
  readonly #logger: Logger;
  readonly #namespaces: string;
  readonly #fabricRecords: RecordFolder<FabricRecord>;
  readonly #interfaceRecords: RecordFolder<InterfaceRecord>;
  readonly #kinds: (record: FabricRecord) => FabricKind;
  readonly #open = new Map<string, OpenFabric>();

  constructor(options: {
    readonly machine: Machine;
    readonly runNft: RunNft;
    readonly logger: Logger;
    /** Directory where namespaces are mounted. */
    readonly namespaces: string;
    readonly fabricRecords: RecordFolder<FabricRecord>;
    readonly interfaceRecords: RecordFolder<InterfaceRecord>;
    readonly kinds: (record: FabricRecord) => FabricKind;
  }) {
    this.#machine = options.machine;
    this.#runNft = options.runNft;
    this.#logger = options.logger;
    this.#namespaces = options.namespaces;
    this.#fabricRecords = options.fabricRecords;
    this.#interfaceRecords = options.interfaceRecords;
    this.#kinds = options.kinds;
  }

  /** The fabric, made if it is absent. */
  ensure(wanted: Unslotted<FabricRecord>): Fabric {
    const existing = this.#open.get(wanted.key);
    if (existing) return existing.fabric;
    const slots = new Set(this.#fabricRecords.all().map(({ slot }) => slot));
    const record: FabricRecord = this.#fabricRecords.get(wanted.key) ?? { ...wanted, slot: freeSlot(slots) };
    this.#fabricRecords.put(record);
    try {
      return this.#openFabric(record).fabric;
    } catch (error) {
      if (this.interfacesOf(record.key).length === 0) this.#forgetFabric(record.key);
      throw error;
    }
  }

  records(): readonly FabricRecord[] {
    return this.#fabricRecords.all();
  }

  interfacesOf(fabricKey: string): readonly InterfaceRecord[] {
    return this.#interfaceRecords.all().filter(({ fabric }) => fabric === fabricKey);
  }

  interfaces(): readonly InterfaceRecord[] {
    return this.#interfaceRecords.all();
  }

  interface(key: string): InterfaceRecord | undefined {
    return this.#interfaceRecords.get(key);
  }

  get(fabricKey: string): Fabric | undefined {
    return this.#open.get(fabricKey)?.fabric;
  }

  /** Where the namespace of that name is mounted. */
  namespacePath(key: string): string {
    return join(this.#namespaces, key);
  }

  /** Makes an interface, or mends it, and returns where its namespace is mounted. Its packets flow once the rules were refreshed. */
  addInterface(record: Omit<InterfaceRecord, 'link'>, plan: Omit<InterfacePlan, 'path' | 'link'>): string {
    const open = this.#open.get(record.fabric);
    if (!open) throw new Error(`fabric ${record.fabric} is not open`);
    const link = linkName(record.key);
    const path = this.namespacePath(namespaceKey(record));
    this.#interfaceRecords.put({ ...record, link });
    ensureInterface(open.fabric, { ...plan, path, link });
    return path;
  }

  /** Removes an interface's link at once; the sandbox and its other interfaces stay. An absent one succeeds. */
  unplugInterface(key: string): void {
    const record = this.#interfaceRecords.get(key);
    if (!record) return;
    unplugInterface(this.get(record.fabric), record.link);
    this.#interfaceRecords.delete(key);
  }

  /** Removes an interface, if there is one, with the name of the namespace it is in, and returns its record. */
  removeInterface(key: string): InterfaceRecord | undefined {
    const record = this.#interfaceRecords.get(key);
    if (!record) return undefined;
    removeInterface(this.get(record.fabric), { ...record, path: this.namespacePath(namespaceKey(record)) });
    this.#interfaceRecords.delete(key);
    return record;
  }

  /**
   * Brings listeners, rules and public routes of a fabric up to date; nothing if it is gone. Throws when its own rules are refused, and tells
   * which others are.
   */
  async refresh(fabricKey: string): Promise<Refusals> {
    const open = this.#open.get(fabricKey);
    if (!open) return new Map();
    const { fabric, rules, listeners } = open;
    try {
      listeners.refresh(this.#kinds(fabric.record).listeners(fabric.record));
      if (!open.hasPassage) {
        await this.#machine.passForeignFirewalls();
        open.hasPassage = true;
      }
      const refusals = await rules.refresh();
      if (this.#isOpen(fabric))
        this.#machine.routePublicAddresses(fabric.record.slot, this.#kinds(fabric.record).due(fabric.record).publicIps);
      return refusals;
    } catch (error) {
      if (this.#isOpen(fabric)) throw error; // otherwise its namespace went away under nft
      return new Map();
    }
  }

  /** What a set in a fabric holds, in nft's words. */
  async elements(fabricKey: string, table: string, set: string): Promise<readonly string[]> {
    return (await this.#open.get(fabricKey)?.rules.elements(table, set)) ?? [];
  }

  /** Refreshes every fabric; failures are logged, since whoever changed a record does not wait for it here. */
  async refreshAll(): Promise<void> {
    await Promise.all(
      Array.from(this.#open.keys(), async (key) => {
        try {
          for (const [table, { message }] of await this.refresh(key))
            this.#logger.error('network rules could not be applied', { fabric: key, table, error: message });
        } catch (error) {
          this.#logger.error('network rules could not be applied', { fabric: key, error: messageOf(error) });
        }
      }),
    );
  }

  /** Removes a fabric that has no interface left. */
  async remove(fabricKey: string): Promise<void> {
    const count = this.interfacesOf(fabricKey).length;
    if (count > 0) throw new DabbaError('FailedPrecondition', `${fabricKey} still has ${count} interfaces`);
    const open = this.#open.get(fabricKey);
    this.#open.delete(fabricKey);
    open?.fabric.remove();
    this.#fabricRecords.delete(fabricKey);
    await open?.listeners[Symbol.asyncDispose]();
  }

  /**
   * Takes over what an earlier process left: opens the fabrics that are recorded, forgets interfaces that are gone, removes what is unknown;
   * of namespaces without an interface those named in `keptNamespaces` stay.
   */
  adopt(keptNamespaces: readonly string[]): void {
    mkdirSync(this.#namespaces, { recursive: true });
    for (const record of this.#interfaceRecords.all())
      if (!isNamespace(this.namespacePath(namespaceKey(record)))) this.removeInterface(record.key);
    for (const record of this.#fabricRecords.all()) {
      if (record.kind === 'bridge' && !isNamespace(this.namespacePath(record.key))) {
        // Of an earlier boot. It is made anew when somebody joins it.
        this.#forgetFabric(record.key);
        continue;
      }
      const { fabric } = this.#openFabric(record);
      fabric.removeStrayLinks(new Set(this.interfacesOf(record.key).map(({ link }) => link)));
    }
    const known = new Set([
      ...this.#fabricRecords.all().map(({ key }) => key),
      ...this.#interfaceRecords.all().map(namespaceKey),
      ...keptNamespaces,
    ]);
    for (const name of readdirSync(this.#namespaces))
      if (!known.has(name)) removeNetworkNamespace(join(this.#namespaces, name));
    this.#machine.removeStrayUplinks(new Set(this.#fabricRecords.all().map(({ slot }) => slot)));
  }

  /** Lets go of sockets and namespaces, which stay. */
  async stop(): Promise<void> {
    const closing = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(closing.map(async ({ listeners }) => await listeners[Symbol.asyncDispose]()));
    for (const { fabric } of closing) fabric[Symbol.dispose]();
  }

  /** Removes every namespace under our directory, open or not, and forgets all records. Their links go with them. */
  async destroy(): Promise<void> {
    for (const { key } of this.#interfaceRecords.all()) this.removeInterface(key);
    for (const { key } of this.#fabricRecords.all()) await this.remove(key);
    mkdirSync(this.#namespaces, { recursive: true });
    for (const name of readdirSync(this.#namespaces)) removeNetworkNamespace(join(this.#namespaces, name));
    rmSync(this.#namespaces, { recursive: true });
  }

  #forgetFabric(key: string): void {
    removeNetworkNamespace(this.namespacePath(key));
    this.#fabricRecords.delete(key);
  }

  #isOpen(fabric: Fabric): boolean {
    return this.#open.get(fabric.record.key)?.fabric === fabric;
  }

  #openFabric(record: FabricRecord): OpenFabric {
    const path = this.namespacePath(record.key);
    const kind = this.#kinds(record);
    using undo = new DisposableStack();
    const fabric = undo.use(new Fabric(record, path, this.#machine));
    const open = {
      fabric,
      rules: new AppliedRulesets(
        () => kind.due(record),
        async (script) => await this.#runNft(script, path),
      ),
      listeners: new OpenListeners(fabric),
      hasPassage: false,
    };
    open.listeners.refresh(kind.listeners(record));
    undo.move();
    this.#open.set(record.key, open);
    return open;
  }
}

/** At most 15 characters, the same for the same interface. */
function linkName(key: string): string {
  return `e${createHash('sha256').update(key).digest('hex').slice(0, 14)}`;
}
