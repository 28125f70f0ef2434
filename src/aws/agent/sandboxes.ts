import { networkRecords } from '#network';
import { nodeRecords, sandboxKey, type SandboxSpec, type SandboxStatus } from '#node';
import type { Store } from '#store';

export interface FoundSandbox {
  readonly spec: SandboxSpec;
  /** Undefined until the worker has first reported. */
  readonly status: SandboxStatus | undefined;
}

/** Tells which sandbox of this machine has an address in a VPC. */
export interface SandboxLocator {
  find(vpcId: string, address: string): Promise<FoundSandbox | undefined>;
}

/** Looks through the records of these nodes. An address once found is looked up directly as long as its sandbox has it. */
export function sandboxLocator(store: Store, nodeIds: readonly string[]): SandboxLocator {
  const { specs, statuses } = nodeRecords(store);
  const { networkInterfaces } = networkRecords(store);
  /** Keys of specs by VPC and address; as many as sandboxes were here lately. */
  const known = new Map<string, string>();

  async function hasAddress(spec: SandboxSpec, vpcId: string, address: string): Promise<boolean> {
    if (!spec.networkInterfaceId) return false;
    const eni = await networkInterfaces.get(`${spec.tenant}/${spec.region}/${spec.networkInterfaceId}`);
    return eni?.value.vpcId === vpcId && eni.value.privateIp === address;
  }

  async function search(vpcId: string, address: string): Promise<SandboxSpec | undefined> {
    for (const nodeId of nodeIds)
      for (const { value } of await specs.list(`${nodeId}/`)) if (await hasAddress(value, vpcId, address)) return value;
    return undefined;
  }

  return {
    async find(vpcId, address) {
      const place = `${vpcId} ${address}`;
      const key = known.get(place);
      const remembered = key === undefined ? undefined : (await specs.get(key))?.value;
      const isStill = remembered && (await hasAddress(remembered, vpcId, address));
      const spec = isStill ? remembered : await search(vpcId, address);
      if (!spec) {
        known.delete(place);
        return undefined;
      }
      known.set(place, sandboxKey(spec));
      return { spec, status: (await statuses.get(sandboxKey(spec)))?.value };
    },
  };
}
