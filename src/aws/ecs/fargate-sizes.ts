import { isFargateSize } from '../fargate-sizes.ts';
import { clientException } from './names.ts';

const GIB = 1024;

/** Throws the service's own sentence when Fargate has no such size. */
export function checkFargateSize(cpuUnits: number, memoryMiB: number): void {
  if (isFargateSize({ cpuUnits, memoryMiB })) return;
  throw clientException(
    `No Fargate configuration exists for given values: ${cpuUnits} CPU, ${memoryMiB} memory. See the Amazon ECS documentation for the valid values.`,
  );
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
