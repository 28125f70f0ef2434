import { clientException } from './names.ts';

const GIB = 1024;
const range = (from: number, to: number, step: number) =>
  Array.from({ length: (to - from) / step + 1 }, (_, index) => (from + index * step) * GIB);

/** CPU units and the MiB of memory that go with them: ECS Developer Guide, "Task CPU and memory" for Fargate on Linux. */
const sizes = new Map<number, readonly number[]>([
  [256, [512, 1 * GIB, 2 * GIB]],
  [512, range(1, 4, 1)],
  [1024, range(2, 8, 1)],
  [2048, range(4, 16, 1)],
  [4096, range(8, 30, 1)],
  [8192, range(16, 60, 4)],
  [16_384, range(32, 120, 8)],
]);

/** Throws the service's own sentence when Fargate has no such size. */
export function checkFargateSize(cpuUnits: number, memoryMiB: number): void {
  if (sizes.get(cpuUnits)?.includes(memoryMiB)) return;
  throw clientException(
    `No Fargate configuration exists for given values: ${cpuUnits} CPU, ${memoryMiB} memory. See the Amazon ECS documentation for the valid values.`,
  );
}

export function isFargateSize(cpuUnits: number, memoryMiB: number): boolean {
  return sizes.get(cpuUnits)?.includes(memoryMiB) ?? false;
}

/** CPU units of `256`, `.25 vCPU` or `1 vcpu`; undefined if it is none of these. */
export function parseCpu(text: string): number | undefined {
  const match = /^\s*(\d*\.?\d+)\s*(vcpu)?\s*$/i.exec(text);
  if (!match) return undefined;
  const units = match[2] ? Number(match[1]) * 1024 : Number(match[1]);
  return Number.isInteger(units) && units > 0 ? units : undefined;
}

/** MiB of `512`, `1GB` or `0.5 gb`; undefined if it is none of these. */
export function parseMemory(text: string): number | undefined {
  const match = /^\s*(\d*\.?\d+)\s*(gb|mb)?\s*$/i.exec(text);
  if (!match) return undefined;
  const memory = match[2]?.toLowerCase() === 'gb' ? Number(match[1]) * GIB : Number(match[1]);
  return Number.isInteger(memory) && memory > 0 ? memory : undefined;
}
