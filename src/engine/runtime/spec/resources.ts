import { DabbaError } from '#base';
import type { ContainerCreate, Resources } from '../../engine.ts';
import type { MachineLimits } from './limits.ts';
import type { OciResources, OciRlimit } from './oci.ts';

/** A value together with what the machine could not grant of the request. */
export interface Granted<Value> {
  readonly value: Value;
  readonly warnings: readonly string[];
}

const quotaPeriodMicros = 100_000;
const smallestMemoryBytes = 6 * 1024 * 1024;
const smallestQuotaMicros = 1_000;
/** RLIM_INFINITY; a JSON number cannot hold it exactly, so it is written by `writeSpec` under this sign. */
export const unlimited = -1;

/**
 * cgroup limits of a container. As Docker does it, a memory limit without a swap limit allows as much swap again. Throws `InvalidArgument`
 * for a limit too small to run anything.
 */
export function cgroupLimits(resources: Resources, limits: MachineLimits): Granted<OciResources> {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, cpuMillis } = resources;
  if (memoryBytes !== undefined && memoryBytes < smallestMemoryBytes)
    throw new DabbaError('InvalidArgument', `memory limit ${memoryBytes} is below the minimum of 6MB`);
  if (memorySwapBytes !== undefined && memorySwapBytes > 0 && memorySwapBytes < (memoryBytes ?? 0))
    throw new DabbaError(
      'InvalidArgument',
      `memory and swap limit ${memorySwapBytes} is below the memory limit ${memoryBytes}`,
    );
  const swap = memorySwapBytes ?? (memoryBytes === undefined ? undefined : memoryBytes * 2);
  const value: OciResources = {
    memory: {
      ...(memoryBytes !== undefined && { limit: memoryBytes }),
      ...(memoryReservationBytes !== undefined && { reservation: memoryReservationBytes }),
      ...(swap !== undefined && limits.hasSwapAccounting && { swap }),
    },
    cpu: {
      ...(resources.cpuShares !== undefined && { shares: Math.max(2, resources.cpuShares) }),
      ...(cpuMillis !== undefined && {
        quota: Math.max(smallestQuotaMicros, Math.round((cpuMillis * quotaPeriodMicros) / 1000)),
        period: quotaPeriodMicros,
      }),
      ...(resources.cpusetCpus !== undefined && { cpus: resources.cpusetCpus }),
    },
    ...(resources.pidsLimit !== undefined && resources.pidsLimit > 0 && { pids: { limit: resources.pidsLimit } }),
  };
  const warnings =
    swap !== undefined && !limits.hasSwapAccounting ? ['swap is not limited: the kernel does not account for it'] : [];
  return { value, warnings };
}

/** rlimits of a container, lowered to what this process may set: without CAP_SYS_RESOURCE no hard limit can be raised. */
export function processLimits(
  ulimits: ContainerCreate['ulimits'],
  limits: MachineLimits,
): Granted<readonly OciRlimit[]> {
  const warnings: string[] = [];
  const value = (ulimits ?? []).map(({ name, soft, hard }) => {
    const ours = limits.hardLimits[name.toLowerCase()];
    if (ours === undefined) throw new DabbaError('InvalidArgument', `invalid ulimit type: ${name}`);
    if (infinite(soft) > infinite(hard))
      throw new DabbaError(
        'InvalidArgument',
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
    const ceiling = limits.capabilities.has('CAP_SYS_RESOURCE') ? Infinity : ours;
    if (infinite(hard) > ceiling)
      warnings.push(`ulimit ${name} ${infinite(hard)} was lowered to this machine's ${ceiling}`);
    const lowered = (limit: number) => finite(Math.min(infinite(limit), ceiling));
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: lowered(soft), hard: lowered(hard) };
  });
  return { value, warnings };
}

/** The OOM score adjustment, raised to our own where only CAP_SYS_RESOURCE could go below it. */
export function oomScoreAdjustment(wanted: number | undefined, limits: MachineLimits): Granted<number> {
  const asked = wanted ?? 0;
  if (asked >= limits.oomScoreAdj || limits.capabilities.has('CAP_SYS_RESOURCE')) return { value: asked, warnings: [] };
  const warnings = [`oom score adjustment ${asked} was raised to ${limits.oomScoreAdj}: CAP_SYS_RESOURCE is missing`];
  return { value: limits.oomScoreAdj, warnings: wanted === undefined ? [] : warnings };
}

function infinite(limit: number): number {
  return limit === unlimited ? Infinity : limit;
}

function finite(limit: number): number {
  return limit === Infinity ? unlimited : limit;
}
