/** The sizes that Fargate runs tasks and pods in: ECS Developer Guide, "Task CPU and memory" for Fargate on Linux; the EKS User Guide has the same for pods. */

export interface FargateSize {
  /** 1024 are one CPU. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

const GIB = 1024;
const range = (from: number, to: number, step: number) =>
  Array.from({ length: (to - from) / step + 1 }, (_, index) => (from + index * step) * GIB);

/** CPU units, and the MiB of memory that go with them. Both ascend. */
const sizes = new Map<number, readonly number[]>([
  [256, [512, 1 * GIB, 2 * GIB]],
  [512, range(1, 4, 1)],
  [1024, range(2, 8, 1)],
  [2048, range(4, 16, 1)],
  [4096, range(8, 30, 1)],
  [8192, range(16, 60, 4)],
  [16_384, range(32, 120, 8)],
]);

export function isFargateSize({ cpuUnits, memoryMiB }: FargateSize): boolean {
  return sizes.get(cpuUnits)?.includes(memoryMiB) ?? false;
}

/** The smallest size with at least so much of both; undefined when there is none so large. */
export function smallestFargateSize(least: FargateSize): FargateSize | undefined {
  for (const [cpuUnits, memories] of sizes) {
    if (cpuUnits < least.cpuUnits) continue;
    const memoryMiB = memories.find((memory) => memory >= least.memoryMiB);
    if (memoryMiB !== undefined) return { cpuUnits, memoryMiB };
  }
  return undefined;
}
