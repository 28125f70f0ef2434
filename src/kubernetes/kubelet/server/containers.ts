import type { Container } from '#engine';
import { StatusError } from '../../status.ts';
import type { Kubelet } from '../kubelet.ts';
import { findContainer, type PodContainer } from '../pod/containers.ts';
import type { PodRun } from '../pod/run.ts';
import { readRuns } from '../pod/runs.ts';
import { isRunning } from '../status/container-status.ts';

/** Which container of which pod a request is about. */
export interface ContainerName {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

export interface FoundContainer {
  readonly run: PodRun;
  readonly container: PodContainer;
  /** The newest first. */
  readonly runs: readonly Container[];
}

/** The pod of that name on this node. Throws `NotFound`. */
export function findPod(kubelet: Kubelet, namespace: string, name: string): PodRun {
  const run = kubelet.find(namespace, name);
  if (!run) throw new StatusError('NotFound', `pod "${name}" not found`);
  return run;
}

/** Throws `NotFound` when the pod is not here or has no such container. */
export async function findNamed(
  kubelet: Kubelet,
  { namespace, pod, container }: ContainerName,
): Promise<FoundContainer> {
  const run = findPod(kubelet, namespace, pod);
  const found = findContainer(run.pod, container);
  if (!found) throw new StatusError('NotFound', `container ${container} not found in pod ${pod}`);
  const { engine, node } = run.context;
  const runs = await readRuns(engine.containers, { nodeId: node.id, uid: run.ref.uid });
  return { run, container: found, runs: runs.get(container) ?? [] };
}

/** The run of a container that lives. Throws `NotFound` in upstream's words. */
export async function findRunning(
  kubelet: Kubelet,
  name: ContainerName,
): Promise<{ readonly found: FoundContainer; readonly running: Container }> {
  const found = await findNamed(kubelet, name);
  const [newest] = found.runs;
  if (!newest || !isRunning(newest)) throw new StatusError('NotFound', `container not found ("${name.container}")`);
  return { found, running: newest };
}
