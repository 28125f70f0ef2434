import { DabbaError } from '#base';
import { recordId, type NetworkInterface, type NetworkPlane } from '#network';
import type { Reconciler } from '#reconcile';
import type { Collection } from '#store';
import type { SandboxCgroups } from './cgroups.ts';
import type { InstanceRecords, InstanceSpec } from './instances.ts';

export interface InstanceParts {
  readonly instances: InstanceRecords;
  readonly networkInterfaces: Pick<Collection<NetworkInterface>, 'get'>;
  readonly network: Pick<NetworkPlane, 'attach' | 'detach'>;
  readonly cgroups: SandboxCgroups;
  readonly cgroupParent: string;
}

/** Makes the instances of one machine real, and lets go of those whose record is gone. */
export function instanceReconciler(parts: InstanceParts, machineId: string): Reconciler {
  const { specs, statuses } = parts.instances;
  const keysBelow = (prefix: string) => ({
    prefix: `${prefix}${machineId}/`,
    keysOf: ({ key }: { readonly key: string }) => [key.slice(prefix.length)],
  });
  return {
    name: 'instances',
    sources: [keysBelow(specs.prefix), keysBelow(statuses.prefix)],
    concurrency: 8,
    async reconcile(key) {
      const [spec, status] = await Promise.all([specs.get(key), statuses.get(key)]);
      if (spec && status?.value.phase !== 'running') await prepare(parts, key, spec.value);
      if (!spec && status) {
        const { id, networkInterfaceId } = status.value;
        await parts.network.detach(networkInterfaceId);
        parts.cgroups.remove(`${parts.cgroupParent}/${id}`);
        await statuses.delete(key);
      }
    },
  };
}

async function prepare(
  { instances, networkInterfaces, network, cgroups, cgroupParent }: InstanceParts,
  key: string,
  spec: InstanceSpec,
): Promise<void> {
  const { id, tenant, region, networkInterfaceId } = spec;
  const eni = await networkInterfaces.get(recordId({ tenant, region, id: networkInterfaceId }));
  if (!eni) throw new DabbaError('NotFound', `the network interface ${networkInterfaceId} of ${id} does not exist`);
  // Recorded before it is made, so that a crash in between leaves nothing that nobody knows of.
  await instances.statuses.create(key, { id, phase: 'preparing', networkInterfaceId }).catch((error: unknown) => {
    if (!(error instanceof DabbaError && error.kind === 'AlreadyExists')) throw error;
  });
  await network.attach(eni.value);
  cgroups.ensure(`${cgroupParent}/${id}`, spec);
  cgroups.capCpu(`${cgroupParent}/${id}`, spec);
  await instances.statuses.update(key, (status) => ({ ...status, phase: 'running' }));
}
