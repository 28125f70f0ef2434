import { DabbaError } from '#base';
import type { BlockLimit, ContainerCreate, Resources } from '../../engine.ts';
import { blockDevice } from './devices.ts';
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
  checkBlockWeights(resources);
  const swap = memorySwapBytes ?? (memoryBytes === undefined ? undefined : memoryBytes * 2);
  const isVersion1 = limits.cgroupVersion === 1;
  const { cpuQuotaUs, cpuPeriodUs } = resources;
  const value: OciResources = {
    memory: {
      ...(memoryBytes !== undefined && { limit: memoryBytes }),
      ...(memoryReservationBytes !== undefined && { reservation: memoryReservationBytes }),
      ...(swap !== undefined && limits.hasSwapAccounting && { swap }),
      ...(resources.memorySwappiness !== undefined && isVersion1 && { swappiness: resources.memorySwappiness }),
      ...(resources.isOomKillDisabled && isVersion1 && { disableOOMKiller: true }),
    },
    cpu: {
      ...(resources.cpuShares !== undefined && { shares: Math.max(2, resources.cpuShares) }),
      ...(cpuMillis !== undefined && {
        quota: Math.max(smallestQuotaMicros, Math.round((cpuMillis * quotaPeriodMicros) / 1000)),
        period: quotaPeriodMicros,
      }),
      ...(cpuQuotaUs !== undefined && { quota: cpuQuotaUs }),
      ...(cpuPeriodUs !== undefined && { period: cpuPeriodUs }),
      ...(resources.cpusetCpus !== undefined && { cpus: resources.cpusetCpus }),
      ...(resources.cpusetMems !== undefined && { mems: resources.cpusetMems }),
      ...(resources.cpuRealtimePeriodUs !== undefined && { realtimePeriod: resources.cpuRealtimePeriodUs }),
      ...(resources.cpuRealtimeRuntimeUs !== undefined && { realtimeRuntime: resources.cpuRealtimeRuntimeUs }),
    },
    ...(resources.pidsLimit !== undefined && { pids: { limit: resources.pidsLimit } }),
    ...blockLimits(resources, limits),
  };
  const warnings: string[] = [];
  if (swap !== undefined && !limits.hasSwapAccounting)
    warnings.push('swap is not limited: the kernel does not account for it');
  if (resources.isOomKillDisabled && !isVersion1)
    warnings.push('the OOM killer stays enabled: cgroup v2 cannot disable it');
  if (resources.memorySwappiness !== undefined && !isVersion1)
    warnings.push('memory swappiness is not set: cgroup v2 has none');
  if (hasBlockWeights(resources) && !limits.hasBlockWeights)
    warnings.push('block I/O weights are not set: the kernel has no I/O scheduler for them');
  return { value, warnings };
}

/** Limits of block devices, by the devices' numbers. Weights are left out where the kernel has none. */
function blockLimits(resources: Resources, limits: MachineLimits): Pick<OciResources, 'blockIO'> {
  const asked = resources.blockLimits ?? [];
  const of = (kind: BlockLimit['kind']) => asked.filter((limit) => limit.kind === kind);
  const rates = (kind: BlockLimit['kind']) =>
    of(kind).map(({ device, value }) => ({ ...blockDevice(device), rate: value }));
  const isWeighted = limits.hasBlockWeights;
  if (asked.length === 0 && resources.blockWeight === undefined) return {};
  return {
    blockIO: {
      ...(resources.blockWeight !== undefined && isWeighted && { weight: resources.blockWeight }),
      ...(isWeighted && {
        weightDevice: of('weight').map(({ device, value }) => ({ ...blockDevice(device), weight: value })),
      }),
      throttleReadBpsDevice: rates('read-bytes'),
      throttleWriteBpsDevice: rates('write-bytes'),
      throttleReadIOPSDevice: rates('read-operations'),
      throttleWriteIOPSDevice: rates('write-operations'),
    },
  };
}

function hasBlockWeights({ blockWeight, blockLimits: asked = [] }: Resources): boolean {
  return blockWeight !== undefined || asked.some(({ kind }) => kind === 'weight');
}

function checkBlockWeights({ blockWeight, blockLimits: asked = [] }: Resources): void {
  const weights = [blockWeight, ...asked.filter(({ kind }) => kind === 'weight').map(({ value }) => value)];
  for (const weight of weights)
    if (weight !== undefined && (weight < 10 || weight > 1000))
      throw new DabbaError('InvalidArgument', 'Range of blkio weight is from 10 to 1000');
}

/** Resources after a change. A memory limit raised beyond the swap limit that was there takes the swap limit with it only if it was not asked for. */
export function joinResources(before: Resources, change: Resources): Resources {
  const { memoryBytes } = change;
  const swap = before.memorySwapBytes;
  if (
    memoryBytes !== undefined &&
    change.memorySwapBytes === undefined &&
    swap !== undefined &&
    swap > 0 &&
    memoryBytes > swap
  )
    throw new DabbaError(
      'InvalidArgument',
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  return { ...before, ...change };
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
