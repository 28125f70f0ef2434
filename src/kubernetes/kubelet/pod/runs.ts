import type { Container, Containers } from '#engine';
import { identityOf, podUidOf } from '../identity.ts';

/** Runs of a pod's containers, by the containers' names, the newest first. */
export type Runs = ReadonlyMap<string, readonly Container[]>;

/** The runs that the engine knows of a pod. */
export async function readRuns(
  containers: Containers,
  { nodeId, uid }: { readonly nodeId: string; readonly uid: string },
): Promise<Runs> {
  const runs = new Map<string, Container[]>();
  for (const container of await containers.list()) {
    if (podUidOf(container.create.labels, nodeId) !== uid) continue;
    const { name } = identityOf(container.create.labels)!;
    const known = runs.get(name);
    if (known) known.push(container);
    else runs.set(name, [container]);
  }
  for (const known of runs.values()) known.sort((a, b) => attemptOf(b) - attemptOf(a));
  return runs;
}

/** 0 for the first run of a container. */
export function attemptOf({ create }: Container): number {
  return identityOf(create.labels)?.attempt ?? 0;
}

export function newestRun(runs: Runs, name: string): Container | undefined {
  return runs.get(name)?.[0];
}
