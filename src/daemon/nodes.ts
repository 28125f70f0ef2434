import { availableParallelism, hostname, totalmem } from 'node:os';
import type { Node } from '#node';

/** Availability zones that one machine stands for: Fargate capacity in each. */
const zoneLetters = ['a', 'b', 'c'] as const;

/**
 * How much more CPU is promised than there is. Fargate's users see no machine and rarely use what they reserve; the kernel shares what
 * there is by weight. Memory is never promised twice.
 */
const CPU_OVERCOMMIT = 16;

/** This machine as Fargate capacity, one node a zone; together they have its memory. */
export function machineNodes(startedAt: number): Node[] {
  const machineId = hostname();
  const cpuUnits = availableParallelism() * 1024 * CPU_OVERCOMMIT;
  const memoryMiB = Math.floor(totalmem() / 2 ** 20);
  return zoneLetters.map((zoneLetter) => ({
    id: `${machineId}-${zoneLetter}`,
    zoneLetter,
    cpuUnits: Math.floor(cpuUnits / zoneLetters.length),
    memoryMiB: Math.floor(memoryMiB / zoneLetters.length),
    machineId,
    startedAt,
  }));
}
