import { isDabbaError } from '#base';
import type { WorkerContext } from '../context.ts';

/** What a sandbox holds on this machine. */
export interface Holdings {
  readonly containerIds: readonly string[];
  readonly networkInterfaceId: string | undefined;
  readonly cgroup: string;
}

/** Lets go of everything a sandbox holds here. What runs is killed. Repeatable; the note of what to release goes last. */
export async function release(
  { engine, network, cgroups, local, logs }: WorkerContext,
  key: string,
  { containerIds, networkInterfaceId, cgroup }: Holdings,
): Promise<void> {
  await logs.drop(key);
  await Promise.all(
    containerIds.map(async (id) => {
      try {
        await engine.containers.remove(id, { force: true, removeVolumes: true });
      } catch (error) {
        if (!isDabbaError(error, 'NotFound')) throw error;
      }
    }),
  );
  if (networkInterfaceId !== undefined) await network.detach(networkInterfaceId);
  cgroups.remove(cgroup);
  await local.remove(key);
}
