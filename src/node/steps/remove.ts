import type { WorkerContext } from '../context.ts';
import { sandboxOf } from '../identity.ts';
import { cgroupOf } from './prepare.ts';
import { release } from './release.ts';

/** Removes every trace of a sandbox whose spec is gone: what runs is killed, what is held is let go, its status is deleted. */
export async function remove(context: WorkerContext, key: string): Promise<void> {
  const [record, containers] = await Promise.all([context.local.find(key), context.engine.containers.list()]);
  await release(context, key, {
    containerIds: containers.filter(({ create }) => sandboxOf(create.labels) === key).map(({ id }) => id),
    networkInterfaceId: record?.networkInterfaceId,
    cgroup: cgroupOf(context, { id: key.slice(key.lastIndexOf('/') + 1) }),
  });
  await context.records.statuses.delete(key);
}
