import { parseFault } from './fault.ts';
import type { Instruction, InstructionOf } from './instruction.ts';
import type { Dockerfile } from './parse.ts';
import { platformArgs, platformName, type Platform } from './platform.ts';
import { mountsOf } from './run-mounts.ts';
import { expand } from './words.ts';

export type StageBase =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly reference: string };

export interface Stage {
  readonly index: number;
  readonly name?: string;
  readonly base: StageBase;
  readonly from: InstructionOf<'FROM'>;
  /** What follows FROM. */
  readonly instructions: readonly Instruction[];
}

export interface Plan {
  readonly escape: string;
  /** Values of the ARGs before the first FROM, platform arguments included. */
  readonly globalArgs: ReadonlyMap<string, string>;
  /** Their instructions, to be shown. */
  readonly preamble: readonly Instruction[];
  readonly stages: readonly Stage[];
  /** Index of the stage whose image is the result. */
  readonly target: number;
  /** Stages that the target needs, itself included, in an order in which each comes after what it needs. */
  readonly needed: readonly Stage[];
}

export interface PlanRequest {
  readonly target?: string;
  readonly buildArgs: { readonly [name: string]: string };
  readonly platform: Platform;
}

/** Divides a Dockerfile into stages and finds those that are needed. Throws `InvalidArgument`. */
export function planBuild(dockerfile: Dockerfile, request: PlanRequest): Plan {
  const { instructions, escape } = dockerfile;
  const first = instructions.findIndex(({ kind }) => kind === 'FROM');
  const preamble = first < 0 ? instructions : instructions.slice(0, first);
  const stray = preamble.find(({ kind }) => kind !== 'ARG');
  if (stray) throw parseFault(stray.at, `no build stage in current context: ${stray.kind} before the first FROM`);
  if (first < 0) throw parseFault(instructions[0]!.at, 'no build stage in current context: there is no FROM');
  const globalArgs = readGlobalArgs(preamble, escape, request);
  const stages = cutStages(instructions.slice(first), escape, globalArgs, request.platform);
  const target = findTarget(stages, request.target);
  return { escape, globalArgs, preamble, stages, target, needed: neededStages(stages, target) };
}

function readGlobalArgs(preamble: readonly Instruction[], escape: string, request: PlanRequest): Map<string, string> {
  const args = new Map(platformArgs(request.platform));
  const lookup = (name: string) => args.get(name);
  for (const instruction of preamble) {
    if (instruction.kind !== 'ARG') continue;
    for (const { name, value } of instruction.declarations) {
      const given =
        request.buildArgs[name] ?? (value === undefined ? args.get(name) : expand(value, { escape, lookup }));
      if (given !== undefined) args.set(name, given);
    }
  }
  return args;
}

function cutStages(
  instructions: readonly Instruction[],
  escape: string,
  globalArgs: ReadonlyMap<string, string>,
  platform: Platform,
): Stage[] {
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  const scope = { escape, lookup: (name: string) => globalArgs.get(name) };
  for (const instruction of instructions) {
    if (instruction.kind !== 'FROM') {
      stages.at(-1)!.instructions.push(instruction);
      continue;
    }
    const wanted = expand(instruction.platform ?? '', scope);
    if (wanted !== '' && wanted !== platformName(platform))
      throw parseFault(
        instruction.at,
        `FROM --platform=${wanted}: only ${platformName(platform)} can be built on this machine`,
      );
    const reference = expand(instruction.base, scope);
    if (reference === '') throw parseFault(instruction.at, `base name (${instruction.base}) should not be blank`);
    const { name } = instruction;
    stages.push({
      index: stages.length,
      base: baseOf(reference, stages),
      from: instruction,
      instructions: [],
      ...(name === undefined ? {} : { name }),
    });
  }
  return stages;
}

function baseOf(reference: string, earlier: readonly Stage[]): StageBase {
  if (reference === 'scratch') return { kind: 'scratch' };
  const stage = earlier.findLast(({ name }) => name === reference.toLowerCase());
  return stage ? { kind: 'stage', index: stage.index } : { kind: 'image', reference };
}

/** The stage that `--target` or `--from` names, by name or number, among `stages`; undefined if it names none of them. */
export function findStage(name: string, stages: readonly Stage[]): Stage | undefined {
  return (
    stages.findLast((stage) => stage.name === name.toLowerCase()) ??
    (/^\d+$/.test(name) ? stages[Number(name)] : undefined)
  );
}

function findTarget(stages: readonly Stage[], name: string | undefined): number {
  if (name === undefined || name === '') return stages.length - 1;
  const stage = findStage(name, stages);
  if (!stage) throw parseFault(stages[0]!.from.at, `target stage "${name}" could not be found`);
  return stage.index;
}

function neededStages(stages: readonly Stage[], target: number): Stage[] {
  const needed = new Set<number>([target]);
  for (const index of needed) for (const source of sourcesOf(stages[index]!, stages)) needed.add(source);
  // A stage refers to earlier ones alone, so the order of the file is an order of need.
  return stages.filter(({ index }) => needed.has(index));
}

function sourcesOf(stage: Stage, stages: readonly Stage[]): number[] {
  const earlier = stages.slice(0, stage.index);
  const named = stage.instructions.flatMap((instruction) => {
    if (instruction.kind === 'COPY' && instruction.from !== undefined)
      return [{ from: instruction.from, at: instruction.at }];
    if (instruction.kind === 'RUN')
      return mountsOf(instruction).flatMap(({ from }) => (from === undefined ? [] : [{ from, at: instruction.at }]));
    return [];
  });
  const sources = named.flatMap(({ from, at }) => {
    const source = findStage(from, earlier);
    if (!source && /^\d+$/.test(from))
      throw parseFault(at, `invalid from flag value ${from}: no earlier stage has that number`);
    return source ? [source.index] : [];
  });
  return stage.base.kind === 'stage' ? [stage.base.index, ...sources] : sources;
}
