import { mkdir } from 'node:fs/promises';
import { messageOf } from '#base';
import type { IdMapping } from '#engine';
import { qosClassOf } from '../../../qos.ts';
import { runtimeClasses } from '../../../resources.ts';
import type { LocalPod } from '../../local.ts';
import { podIdentity } from '../../traces.ts';
import { sharedIpcOf, sharedMemoryBytes } from '../shared-ipc.ts';
import { askedBy } from '../allocation.ts';
import { podResourcesOf } from '../resources.ts';
import type { PodRun } from '../run.ts';

const [unitsOfCore, bytesPerMib, fewestUnits] = [1024, 2 ** 20, 2] as const;

/**
 * What all containers of a pod live in: a cgroup by its quality of service, and a network namespace with its address, or the node's own. What is about to be made is noted
 * first. Throws what kept it from being made; it is tried again.
 */
export async function prepareSandbox(run: PodRun, signal: AbortSignal): Promise<void> {
  if (run.sandbox) return;
  const { context, pod } = run;
  const before = await context.local.find(run.ref.uid);
  const note: LocalPod = {
    // What an earlier kubelet was given is still to be let go.
    ...before,
    ...run.ref,
    serviceAccount: pod.spec?.serviceAccountName || 'default',
    cgroup: cgroupOf(run),
    isHostNetwork: pod.spec?.hostNetwork ?? false,
    allocation: before?.allocation ?? askedBy(run.allocated),
  };
  run.allocation = note.allocation;
  try {
    await requireRuntime(run, signal);
    await context.local.save(note);
    shapeCgroup(run);
    const sandbox = note.isHostNetwork
      ? await context.networks.own()
      : await context.networks.attach(
          podIdentity(context, note),
          {
            onAssigned: (networkInterfaceId) => context.local.save({ ...note, networkInterfaceId }),
            ids: mappingOf(run),
          },
          signal,
        );
    await shareIpc(run, sandbox.netnsPath);
    run.sandbox = sandbox;
  } catch (error) {
    signal.throwIfAborted();
    run.event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${messageOf(error)}`);
    throw error;
  }
}

/** The namespace is the owner's of the pod's network, as that is the pod's user namespace if it has one. */
async function shareIpc(run: PodRun, netnsPath: string): Promise<void> {
  const ipc = sharedIpcOf(run);
  if (!ipc) return;
  const { memoryFiles } = run.context;
  await mkdir(ipc.sharedMemory, { recursive: true });
  memoryFiles.ensure(ipc.sharedMemory, { sizeBytes: sharedMemoryBytes, mode: 0o1777 });
  await memoryFiles.ensureIpc(ipc.namespace, mappingOf(run) && netnsPath);
}

/** The ids of a pod with a user namespace of its own (`hostUsers: false`). */
export function mappingOf({ context, pod, ref }: PodRun): IdMapping | undefined {
  return pod.spec?.hostUsers === false ? context.idRanges.claim(context.local.folder(ref.uid)) : undefined;
}

/** There is one runtime here; a RuntimeClass that names another cannot be had. In the words of CRI implementations. */
async function requireRuntime({ context, pod }: PodRun, signal: AbortSignal): Promise<void> {
  const name = pod.spec?.runtimeClassName;
  if (!name) return;
  const { handler } = await context.client.get(runtimeClasses, { name }, { signal });
  if (handler !== 'runc') throw new Error(`no runtime for "${handler}" is configured`);
}

/** The cgroup of a pod: those that asked for nothing share one with little weight. */
export function cgroupOf({ context, pod, ref }: PodRun): string {
  const place = qosClassOf(pod) === 'BestEffort' ? `${context.cgroup}/besteffort` : context.cgroup;
  return `${place}/pod${ref.uid}`;
}

/** Makes it, or gives it other bounds: those of the pod, and at least so much memory. */
export function shapeCgroup(run: PodRun, leastMemoryBytes = 0): void {
  const { cgroups, cgroup } = run.context;
  const { cpuRequestMillis, memoryLimitBytes } = podResourcesOf(run.allocated);
  if (qosClassOf(run.pod) === 'BestEffort') cgroups.ensure(`${cgroup}/besteffort`, { cpuUnits: fewestUnits });
  cgroups.ensure(cgroupOf(run), {
    cpuUnits: Math.max(fewestUnits, Math.floor((cpuRequestMillis * unitsOfCore) / 1000)),
    ...(memoryLimitBytes !== undefined && { memoryMiB: Math.max(memoryLimitBytes, leastMemoryBytes) / bytesPerMib }),
  });
}
