/** What pods write to their node's disk: what their containers changed of their images, and their emptyDir volumes. */
import { isDabbaError } from '#base';
import { type Engine, treeBytes } from '#engine';
import { quantityOf, formatQuantity, quantityValue } from '../../quantity.ts';
import type * as types from '../../types.ts';
import { containersOf } from '../pod/containers.ts';
import type { PodRun } from '../pod/run.ts';
import { newestRun, readRuns } from '../pod/runs.ts';
import { storageLimitOf } from './order.ts';

const resource = 'ephemeral-storage';

/** All that a pod wrote. */
export async function storageUsed(run: PodRun): Promise<number> {
  const [containers, volumes] = await Promise.all([writtenBy(run), volumesOf(run)]);
  return [...containers.values(), ...volumes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * What of a pod's own bounds it broke, in upstream's words; undefined when none. Only pods with bounds are measured. Behaviour: kubelet `eviction/eviction_manager.go`,
 * "localStorageEviction".
 */
export async function brokenBound(run: PodRun): Promise<string | undefined> {
  const { pod } = run;
  const bounded = emptyDirsOf(pod).filter(({ sizeLimit }) => sizeLimit !== undefined);
  const limitOf = ({ resources }: types.Container) => resources?.limits?.[resource];
  const limited = containersOf(pod).filter(({ spec }) => limitOf(spec) !== undefined);
  if (bounded.length === 0 && limited.length === 0) return undefined;
  const volumes = await volumesOf(run);
  for (const { name, sizeLimit = '' } of bounded)
    if ((volumes.get(name) ?? 0) > quantityValue(sizeLimit))
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${sizeLimit}". `;
  if (limited.length === 0) return undefined;
  const written = await writtenBy(run);
  const total = [...written.values(), ...volumes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const podLimit = storageLimitOf(pod);
  if (podLimit !== undefined && total > podLimit)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${formatQuantity(quantityOf(podLimit, 'BinarySI'))}. `;
  const over = limited.find(({ spec }) => (written.get(spec.name) ?? 0) > quantityValue(limitOf(spec)!));
  return over && `Container ${over.spec.name} exceeded its local ephemeral storage limit "${limitOf(over.spec)}". `;
}

async function writtenBy({ context, ref }: PodRun): Promise<ReadonlyMap<string, number>> {
  const { engine, node } = context;
  const runs = await readRuns(engine.containers, { nodeId: node.id, uid: ref.uid });
  const written = new Map<string, number>();
  for (const name of runs.keys()) {
    const { id } = newestRun(runs, name)!;
    written.set(name, await writtenIn(engine, id));
  }
  return written;
}

/** What a container changed of its image. One that went meanwhile holds nothing. */
export async function writtenIn({ containers }: Pick<Engine, 'containers'>, id: string): Promise<number> {
  try {
    return await containers.sizeOf(id);
  } catch (error) {
    if (!isDabbaError(error, 'NotFound')) throw error;
    return 0;
  }
}

async function volumesOf(run: PodRun): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const { name } of emptyDirsOf(run.pod)) {
    const path = run.volumes.pathOf(name);
    if (path !== undefined) sizes.set(name, await treeBytes(path));
  }
  return sizes;
}

/** Those on the disk: the others are the pod's memory, with bounds that the kernel keeps. */
function emptyDirsOf({ spec }: types.Pod) {
  return (spec?.volumes ?? []).flatMap(({ name, emptyDir }) =>
    emptyDir && emptyDir.medium !== 'Memory' ? [{ name, sizeLimit: emptyDir.sizeLimit }] : [],
  );
}
