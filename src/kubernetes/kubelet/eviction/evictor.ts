/**
 * Keeps nodes from running out of memory, and their machine out of disk, by ending pods, before the kernel chooses whom to kill ("Node-pressure Eviction", Kubernetes documentation).
 * Behaviour: kubelet `eviction/eviction_manager.go`, with its default hard thresholds.
 */
import { type Clock, type Logger, messageOf } from '#base';
import { formatQuantity, quantityOf } from '../../quantity.ts';
import type { Threshold } from '../node/facts.ts';
import { isMet } from '../node/pressures.ts';
import { containersOf } from '../pod/containers.ts';
import type { PodRun } from '../pod/run.ts';
import { newestRun, readRuns } from '../pod/runs.ts';
import { cgroupOf } from '../pod/steps/sandbox.ts';
import { isRunning } from '../status/container-status.ts';
import { type Candidate, evictionOrder, type EvictionResource, isCritical, requestedOf } from './order.ts';
import { brokenBound, storageUsed, writtenIn } from './storage.ts';

/** How often the kubelet looks: neither the kernel's counters nor a file system announce that little is left. */
const LOOK_EVERY_MS = 10_000;
/** Of all time, looking takes no more than one part in so many. */
const LOOKING_PART = 10;

interface EvictorOptions {
  /** The pods that may be ended: those that room is held for. */
  readonly runs: () => readonly PodRun[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface NodeEvictorOptions extends EvictorOptions {
  readonly memory: () => Promise<Threshold>;
}

export interface DiskEvictorOptions extends EvictorOptions {
  readonly disk: () => Promise<Threshold>;
}

/**
 * Ends pods of one node: those that broke a bound of their own, and others while its memory is scarce. Looks until the signal; resolves then. What one look takes holds up no other:
 * pods choose how many files have to be counted.
 */
export async function keepNodeFromPressure(options: NodeEvictorOptions): Promise<void> {
  await Promise.all([
    repeat(options, () => endUnbounded(options)),
    repeat(options, () => relieve(options, 'memory', options.memory, chosenForMemory)),
  ]);
}

/** Ends pods while disk is scarce: one at a time, whichever node of the machine it is of, for all of them write to the same. Looks until the signal; resolves then. */
export async function keepDiskFree(options: DiskEvictorOptions): Promise<void> {
  await repeat(options, () => relieve(options, 'ephemeral-storage', options.disk, chosenForDisk));
}

async function repeat({ clock, logger, signal }: EvictorOptions, look: () => Promise<void>): Promise<void> {
  let tookMs = 0;
  for (;;) {
    await clock.sleep(Math.max(LOOK_EVERY_MS, tookMs * (LOOKING_PART - 1)), signal).catch(() => undefined);
    if (signal.aborted) return;
    const beganAt = clock.now();
    const looking = look().catch((error: unknown) => {
      if (!signal.aborted) logger.warn('what is scarce could not be found out', { error: messageOf(error) });
    });
    await unlessAborted(looking, signal);
    tookMs = clock.now() - beganAt;
  }
}

/** Waits for the work, but not beyond the signal: who counts files goes on to the end of one pod's, and then does nothing more. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve: onAbort } = Promise.withResolvers<void>();
  const listener = () => onAbort();
  signal.addEventListener('abort', listener, { once: true });
  await Promise.race([work, aborted]);
  signal.removeEventListener('abort', listener);
}

/** Ends every pod that broke a bound of its own. */
async function endUnbounded({ runs, signal }: EvictorOptions): Promise<void> {
  for (const run of endable(runs())) {
    const message = await brokenBound(run);
    if (signal.aborted) return;
    if (message !== undefined && !run.isEnding) run.evict(message);
  }
}

function endable(runs: readonly PodRun[]): readonly PodRun[] {
  return runs.filter(({ isEnding, pod }) => !isEnding && !isCritical(pod));
}

type Choice = (active: readonly PodRun[], threshold: Threshold) => Promise<Candidate<PodRun> | undefined>;

/** Ends one pod for the sake of the others, when something is scarce: what that frees is seen at the next look. */
async function relieve(
  { runs, signal }: EvictorOptions,
  resource: EvictionResource,
  read: () => Promise<Threshold>,
  choose: Choice,
): Promise<void> {
  const threshold = await read();
  if (!isMet(threshold)) return;
  const worst = await choose(endable(runs()), threshold);
  if (!worst) return;
  const message = `${lowMessage(resource, threshold)}${await containersMessage(worst, resource)}`;
  if (!worst.pod.isEnding && !signal.aborted) worst.pod.evict(message);
}

async function chosenForMemory(active: readonly PodRun[]): Promise<Candidate<PodRun> | undefined> {
  const candidates = active.map((run) => {
    const { memoryBytes = 0, idleBytes = 0 } = run.context.cgroups.usage(cgroupOf(run)) ?? {};
    return candidate(run, 'memory', Math.max(0, memoryBytes - idleBytes));
  });
  return evictionOrder(candidates).find(({ used }) => used > 0);
}

/**
 * The disk is this machine's, which others fill too: where ending all pods would not bring it back, none is ended, and that it is scarce is told by the nodes' conditions alone.
 */
async function chosenForDisk(
  active: readonly PodRun[],
  { available, least }: Threshold,
): Promise<Candidate<PodRun> | undefined> {
  const candidates: Candidate<PodRun>[] = [];
  for (const run of active) candidates.push(candidate(run, 'ephemeral-storage', await storageUsed(run)));
  const held = candidates.reduce((sum, { used }) => sum + used, 0);
  if (held < least - available) return undefined;
  return evictionOrder(candidates).find(({ used }) => used > 0);
}

function candidate(run: PodRun, resource: EvictionResource, used: number): Candidate<PodRun> {
  return { pod: run, priority: run.pod.spec?.priority ?? 0, used, requested: requestedOf(run.allocated, resource) };
}

function lowMessage(resource: EvictionResource, { available, least }: Threshold): string {
  return `The node was low on resource: ${resource}. Threshold quantity: ${amount(least)}, available: ${amount(available)}. `;
}

/** Which of its containers use more than they asked for. */
async function containersMessage({ pod: run }: Candidate<PodRun>, resource: EvictionResource): Promise<string> {
  const { engine, node } = run.context;
  const runs = await readRuns(engine.containers, { nodeId: node.id, uid: run.ref.uid });
  const lines = await Promise.all(
    containersOf(run.allocated).map(async ({ spec }) => {
      const newest = newestRun(runs, spec.name);
      if (!newest || !isRunning(newest)) return '';
      const used = resource === 'memory' ? await memoryUsed(run, newest.id) : await writtenIn(engine, newest.id);
      const asked = requestedOf({ spec: { containers: [spec] } }, resource);
      if (used <= asked) return '';
      return `Container ${spec.name} was using ${amount(used)}, request is ${amount(asked)}, has larger consumption of ${resource}. `;
    }),
  );
  return lines.join('');
}

async function memoryUsed({ context: { engine } }: PodRun, id: string): Promise<number> {
  const stats = await engine.containers.stats(id);
  if (!stats) return 0;
  const { usageBytes, details } = stats.memory;
  return Math.max(0, usageBytes - (details['total_inactive_file'] ?? details['inactive_file'] ?? 0));
}

/** In whole KiB, as upstream's statistics give them. */
function amount(bytes: number): string {
  return formatQuantity(quantityOf(Math.floor(bytes / 1024) * 1024, 'BinarySI'));
}
