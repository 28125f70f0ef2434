import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDabbaError } from '#base';
import type { KubeletContext } from './context.ts';
import { podUidOf } from './identity.ts';
import type { LocalPod } from './local.ts';
import type { PodIdentity } from './ports.ts';

/** What it takes to undo a pod that nobody remembers. */
export type Undoing = Pick<
  KubeletContext,
  'node' | 'engine' | 'local' | 'networks' | 'cgroups' | 'places' | 'memoryFiles' | 'idRanges'
>;

/** A pod as the room above knows it. */
export function podIdentity(
  { node }: Pick<Undoing, 'node'>,
  pod: Omit<LocalPod, 'cgroup' | 'isHostNetwork'>,
): PodIdentity {
  const { namespace, name, uid, serviceAccount } = pod;
  return { node, namespace, name, uid, serviceAccount };
}

/** Uids of the pods of which anything is on this machine. */
export async function tracedPods({
  local,
  engine,
  node,
}: Pick<Undoing, 'local' | 'engine' | 'node'>): Promise<ReadonlySet<string>> {
  const uids = new Set(await local.uids());
  for (const { create } of await engine.containers.list()) {
    const uid = podUidOf(create.labels, node.id);
    if (uid !== undefined) uids.add(uid);
  }
  return uids;
}

/** Lets go of a pod's volumes, network and cgroup, as its note says. Nothing of it runs any more. May be repeated. */
export async function releaseHoldings(undoing: Undoing, uid: string, signal: AbortSignal): Promise<void> {
  const { local, networks, cgroups, places, memoryFiles } = undoing;
  const folder = local.folder(uid);
  memoryFiles.removeBeneath(folder);
  await rm(join(places.memory, encodeURIComponent(uid)), { recursive: true, force: true });
  await rm(join(folder, 'volumes'), { recursive: true, force: true });
  const note = await local.find(uid);
  if (!note) return;
  if (!note.isHostNetwork) await networks.detach(podIdentity(undoing, note), note.networkInterfaceId, signal);
  undoing.idRanges.release(folder);
  cgroups.remove(note.cgroup);
}

/** Removes all that is here of a pod: what runs is killed, what is held is let go; the note goes last. May be repeated. */
export async function removeTraces(undoing: Undoing, uid: string, signal: AbortSignal): Promise<void> {
  const { engine, node, local } = undoing;
  const mine = (await engine.containers.list()).filter(({ create }) => podUidOf(create.labels, node.id) === uid);
  await Promise.all(
    mine.map(async ({ id }) => {
      try {
        await engine.containers.remove(id, { force: true, removeVolumes: true });
      } catch (error) {
        if (!isDabbaError(error, 'NotFound')) throw error;
      }
    }),
  );
  await releaseHoldings(undoing, uid, signal);
  await local.remove(uid);
}
