import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DabbaError, isDabbaError, messageOf } from '#base';
import type { Container, Image, Mount } from '#engine';
import { configMaps, secrets } from '../../../resources.ts';
import type * as types from '../../../types.ts';
import { environmentOf } from '../../container/environment.ts';
import type { DownwardFacts } from '../../container/field-ref.ts';
import { hostsText } from '../../container/hosts.ts';
import { readLocalProfile } from '../../container/local-profiles.ts';
import { containerRequest } from '../../container/request.ts';
import { resolutionOf } from '../../container/resolution.ts';
import { serviceEnvironment } from '../../container/service-environment.ts';
import { type ContainerIdentity, engineName } from '../../identity.ts';
import { isRunning } from '../../status/container-status.ts';
import { findContainer, type PodContainer } from '../containers.ts';
import type { PodRun } from '../run.ts';
import { newestRun, type Runs } from '../runs.ts';
import { sharedIpcOf } from '../shared-ipc.ts';
import { runPostStart } from './hooks.ts';
import { volumeImage } from './image.ts';
import { ensurePause } from './pause.ts';
import { cgroupOf, mappingOf } from './sandbox.ts';

/** Which run is to be begun, and with what. */
export interface NextRun {
  readonly attempt: number;
  readonly nextBackoffMs: number;
  readonly image: Image;
}

/** What downward references of a pod may name. */
export function downwardFacts({ context, sandbox }: PodRun, hostIp: string): DownwardFacts {
  return { nodeName: context.node.nodeName, hostIp, podIp: sandbox?.privateIp };
}

/**
 * Makes and starts a run of a container. Returns true if it began. What stands in the way is put down in `run.waiting` in upstream's words: `CreateContainerConfigError` for a
 * reference that leads nowhere, `CreateContainerError`, `RunContainerError`. Throws `Unavailable` alone, which is tried again.
 */
export async function startContainer(
  run: PodRun,
  container: PodContainer,
  next: NextRun,
  runs: Runs,
): Promise<boolean> {
  const { engine } = run.context;
  const created = await create(run, container, next, runs);
  if (!created) return false;
  try {
    await engine.containers.start(created.id);
  } catch (error) {
    if (isDabbaError(error, 'Unavailable')) throw error;
    say(run, container, 'RunContainerError', messageOf(error));
    return false;
  }
  run.waiting.delete(container.spec.name);
  run.event('Normal', 'Started', `Started container ${container.spec.name}`, container);
  runPostStart(run, container, created);
  return true;
}

async function create(run: PodRun, container: PodContainer, next: NextRun, runs: Runs): Promise<Container | undefined> {
  const { engine } = run.context;
  let reason = 'CreateContainerConfigError';
  try {
    const request = await requestFor(run, container, next, runs);
    reason = 'CreateContainerError';
    const made = await engine.containers.create(request);
    run.event('Normal', 'Created', `Created container: ${container.spec.name}`, container);
    return made;
  } catch (error) {
    // Made by an earlier try that did not live to see it.
    if (isDabbaError(error, 'AlreadyExists'))
      return await engine.containers.find(engineName({ podUid: run.ref.uid, name: container.spec.name, ...next }));
    if (isDabbaError(error, 'Unavailable')) throw error;
    say(run, container, reason, messageOf(error));
    return undefined;
  }
}

function say(run: PodRun, container: PodContainer, reason: string, message: string): void {
  const { name } = container.spec;
  const before = run.waiting.get(name);
  run.waiting.set(name, { reason, message });
  if (before?.reason !== reason || before.message !== message)
    run.event('Warning', 'Failed', `Error: ${message}`, container);
}

async function requestFor(run: PodRun, { spec: asked, target }: PodContainer, next: NextRun, runs: Runs) {
  const { context, allocated: pod, ref } = run;
  const spec = findContainer(pod, asked.name)?.spec ?? asked;
  const { node, networks, services: _, objects, clusterServices, allocatable } = context;
  const { namespace, uid } = ref;
  const own = await networks.own();
  const facts = downwardFacts(run, own.privateIp);
  const isLinking = pod.spec?.enableServiceLinks ?? true;
  const variables = await environmentOf(pod, spec, {
    services: serviceEnvironment(clusterServices.list(), { namespace, isLinking }),
    facts,
    allocatable,
    configMap: (name) => objects.get(configMaps, { namespace, name }, uid),
    secret: (name) => objects.get(secrets, { namespace, name }, uid),
  });
  const files = await writeFiles(run, spec, next.attempt);
  const identity: ContainerIdentity = {
    nodeId: node.id,
    podUid: uid,
    namespace,
    podName: ref.name,
    name: spec.name,
    attempt: next.attempt,
    nextBackoffMs: next.nextBackoffMs,
    terminationLog: files.terminationLog,
  };
  const ipc = sharedIpcOf(run);
  const volumes = await run.volumes.mountsOf(spec, variables, (volume) => volumeImage(run, volume));
  // A volume of the pod's own may be in its place.
  const isMemoryTaken = volumes.some(({ target }) => target === '/dev/shm');
  const sharedMemory: readonly Mount[] =
    ipc && !isMemoryTaken ? [{ kind: 'bind', source: ipc.sharedMemory, target: '/dev/shm' }] : [];
  const mounts = [...volumes, ...sharedMemory, ...files.mounts];
  const isShared = target === undefined && pod.spec?.shareProcessNamespace;
  const processesOf = isShared ? await ensurePause(run, runs, next.image) : target && runningTarget(runs, target);
  const ids = mappingOf(run);
  return containerRequest(pod, spec, {
    identity,
    image: next.image,
    variables,
    mounts,
    devices: run.volumes.devicesOf(spec),
    netnsPath: run.sandbox!.netnsPath,
    resolution: resolutionOf(pod, node.cluster, own),
    cgroupParent: cgroupOf(run),
    domain: node.cluster.domain,
    nodeName: node.nodeName,
    nodeMemoryBytes: allocatable.memoryBytes,
    localProfile: (name) => readLocalProfile(context.places.root, name),
    ...(ipc && { ipcPath: ipc.namespace }),
    ...(processesOf && { processesOf }),
    ...(ids && { ids }),
  });
}

function runningTarget(runs: Runs, name: string): string {
  const target = newestRun(runs, name);
  if (!target || !isRunning(target))
    throw new DabbaError('FailedPrecondition', `unable to find target container ${name}`);
  return target.id;
}

/** The files that a container gets beside its volumes: /etc/hosts of its pod, and the one it may leave its last words in. */
async function writeFiles(
  { context, ref, pod, sandbox }: PodRun,
  { name, terminationMessagePath = '/dev/termination-log', volumeMounts = [] }: types.Container,
  attempt: number,
): Promise<{ readonly terminationLog: string; readonly mounts: readonly Mount[] }> {
  const folder = context.local.folder(ref.uid);
  const directory = join(folder, 'containers', name);
  const terminationLog = join(directory, `${attempt}.log`);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  await writeFile(terminationLog, '');
  // Whoever the container runs as may write it, whatever this process's umask is.
  await chmod(terminationLog, 0o666);
  const mounts: Mount[] = [{ kind: 'bind', source: terminationLog, target: terminationMessagePath }];
  const isHostsTaken = volumeMounts.some(({ mountPath }) => mountPath === '/etc/hosts');
  if (isHostsTaken) return { terminationLog, mounts };
  const hosts = join(folder, 'etc-hosts');
  const { privateIp, privateDnsName } = sandbox!;
  const own = pod.spec?.hostNetwork
    ? {
        ...pod,
        metadata: { ...pod.metadata, name: privateDnsName.split('.', 1)[0]! },
        spec: { ...pod.spec, subdomain: '' },
      }
    : pod;
  await writeFile(hosts, hostsText(own, { podIp: privateIp, domain: context.node.cluster.domain }), { mode: 0o644 });
  return { terminationLog, mounts: [...mounts, { kind: 'bind', source: hosts, target: '/etc/hosts' }] };
}
