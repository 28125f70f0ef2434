import { DabbaError } from '#base';
import type { BlockLimit, Resources } from '#engine';
import { present, type Fields } from './fields.ts';

/** The limits of a HostConfig or of POST /containers/{id}/update. Zero means "not asked", except for what may be none. */
export function readResources(host: Fields): Resources {
  const nanoCpus = host.amount('NanoCpus');
  const pidsLimit = host.amount('PidsLimit');
  const quota = host.amount('CpuQuota');
  const swappiness = host.number('MemorySwappiness');
  return present({
    cpuShares: host.amount('CpuShares'),
    cpuMillis: nanoCpus === undefined ? undefined : nanoCpus / 1e6,
    cpuQuotaUs: quota,
    cpuPeriodUs: host.amount('CpuPeriod'),
    cpuRealtimePeriodUs: host.amount('CpuRealtimePeriod'),
    cpuRealtimeRuntimeUs: host.amount('CpuRealtimeRuntime'),
    cpusetCpus: host.word('CpusetCpus'),
    cpusetMems: host.word('CpusetMems'),
    memoryBytes: host.amount('Memory'),
    memoryReservationBytes: host.amount('MemoryReservation'),
    memorySwapBytes: host.amount('MemorySwap'),
    // -1 is how clients say "the machine's".
    memorySwappiness: swappiness === -1 ? undefined : swappiness,
    isOomKillDisabled: host.flag('OomKillDisable') || undefined,
    pidsLimit,
    blockWeight: host.amount('BlkioWeight'),
    blockLimits: readBlockLimits(host),
  });
}

/** Refuses processors that the machine does not have, in Docker's words. */
export function checkProcessors({ cpuMillis = 0, cpusetCpus = '' }: Resources, count: number): void {
  if (cpuMillis > count * 1000)
    throw new DabbaError(
      'InvalidArgument',
      `range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`,
    );
  const numbers = cpusetCpus.match(/\d+/g) ?? [];
  if (numbers.some((number) => Number(number) >= count))
    throw new DabbaError(
      'InvalidArgument',
      `Requested CPUs are not available - requested ${cpusetCpus}, available: 0-${count - 1}`,
    );
}

const blockKinds: readonly (readonly [member: string, kind: BlockLimit['kind'], value: string])[] = [
  ['BlkioWeightDevice', 'weight', 'Weight'],
  ['BlkioDeviceReadBps', 'read-bytes', 'Rate'],
  ['BlkioDeviceWriteBps', 'write-bytes', 'Rate'],
  ['BlkioDeviceReadIOps', 'read-operations', 'Rate'],
  ['BlkioDeviceWriteIOps', 'write-operations', 'Rate'],
];

function readBlockLimits(host: Fields): readonly BlockLimit[] | undefined {
  const limits = blockKinds.flatMap(([member, kind, value]) =>
    host.objects(member).map((limit) => ({ kind, device: limit.text('Path') ?? '', value: limit.number(value) ?? 0 })),
  );
  return limits.length === 0 ? undefined : limits;
}
