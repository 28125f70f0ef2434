import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDabbaError } from '#base';
import type { Container, ContainerCreate, Image } from '#engine';
import { engineName, identityLabels } from '../../identity.ts';
import { isOver, isRunning } from '../../status/container-status.ts';
import { pauseProgram } from '../pause-program.ts';
import type { PodRun } from '../run.ts';
import { attemptOf, newestRun, type Runs } from '../runs.ts';
import { sharedIpcOf } from '../shared-ipc.ts';
import { removeRuns } from './observe.ts';
import { cgroupOf, mappingOf } from './sandbox.ts';

/** No container of a pod can be called so; it is dockershim's name for its like. */
export const pauseName = 'POD';

/**
 * The engine's id of the container whose processes those of a pod with `shareProcessNamespace` see: its one process is theirs' first, so that no end of theirs ends the others.
 * Made when it is not there, in whatever image is at hand. May be repeated.
 */
export async function ensurePause(run: PodRun, runs: Runs, image: Image): Promise<string> {
  const { engine } = run.context;
  const newest = newestRun(runs, pauseName);
  if (newest && isRunning(newest)) return newest.id;
  const attempt = !newest ? 0 : isOver(newest) ? attemptOf(newest) + 1 : attemptOf(newest);
  const old = (runs.get(pauseName) ?? []).filter(isOver);
  if (old.length) run.tasks.begin(`clear/${pauseName}`, () => removeRuns(run, old));
  const request = await pauseRequest(run, attempt, image);
  const made = await make(run, request);
  if (!isRunning(made)) await engine.containers.start(made.id);
  return made.id;
}

/** Ends it; nothing else of the pod runs any more. */
export async function endPause(run: PodRun, runs: Runs): Promise<void> {
  await removeRuns(run, runs.get(pauseName) ?? []);
}

async function make(
  { context: { engine } }: PodRun,
  request: ContainerCreate & { readonly name: string },
): Promise<Container> {
  try {
    return await engine.containers.create(request);
  } catch (error) {
    // Made by an earlier try, or by another container's of this pass.
    if (!isDabbaError(error, 'AlreadyExists')) throw error;
    const known = await engine.containers.find(request.name);
    if (!known) throw error;
    return known;
  }
}

async function pauseRequest(
  run: PodRun,
  attempt: number,
  image: Image,
): Promise<ContainerCreate & { readonly name: string }> {
  const { context, ref, sandbox } = run;
  const folder = context.local.folder(ref.uid);
  const program = join(folder, 'pause');
  await mkdir(folder, { recursive: true });
  // Never half of it, whenever we die.
  await writeFile(`${program}.new`, pauseProgram(process.arch), { mode: 0o555 });
  await rename(`${program}.new`, program);
  const identity = {
    nodeId: context.node.id,
    podUid: ref.uid,
    namespace: ref.namespace,
    podName: ref.name,
    name: pauseName,
    attempt,
    nextBackoffMs: 0,
    terminationLog: '',
  };
  const ipc = sharedIpcOf(run);
  const ids = mappingOf(run);
  return {
    image: image.id,
    name: engineName(identity),
    entrypoint: ['/pause'],
    user: '65535:65535',
    labels: identityLabels(identity),
    network: { mode: 'namespace', path: sandbox!.netnsPath, nameservers: [], searchDomains: [], hosts: [] },
    mounts: [{ kind: 'bind', source: program, target: '/pause', isReadOnly: true }],
    isReadOnlyRoot: true,
    isPrivilegeGainForbidden: true,
    capabilities: { drop: ['ALL'] },
    resources: { cpuShares: 2 },
    namespaces: { ...(ids && { user: ids }), ...(ipc && { ipc: { path: ipc.namespace } }) },
    restartPolicy: { name: 'no' },
    cgroupParent: cgroupOf(run),
    healthCheck: { Test: ['NONE'] },
    // The last to be killed for want of memory, as upstream's.
    oomScoreAdj: -998,
    log: { isOff: true },
  };
}
