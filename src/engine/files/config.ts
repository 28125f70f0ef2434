import { posix } from 'node:path';
import { DabbaError } from '#base';
import type { Instruction } from '../build/instruction.ts';
import { changeMetadata, type MetadataInstruction } from '../build/metadata.ts';
import { parseDockerfile } from '../build/parse.ts';
import { emptyState, scopeOf, type StageState } from '../build/state.ts';
import { expand } from '../build/words.ts';
import type { ImageConfig } from '../engine.ts';
import { joinEnvironment } from '../runtime/spec/process.ts';
import type { ContainerRecord } from '../runtime/record.ts';

/** The config that a container stands for: its image's, and over it what the container was created with. */
export function containerConfig(image: ImageConfig, { create, stopSignal, healthCheck }: ContainerRecord): ImageConfig {
  const Env = joinEnvironment(image.Env ?? [], create.environment ?? []);
  // An entrypoint in the request discarded the image's command.
  const { Cmd: imageCommand, ...rest } = image;
  const Cmd = create.command?.length ? create.command : create.entrypoint ? undefined : imageCommand;
  return {
    ...rest,
    ...(Env.length > 0 && { Env }),
    ...(Cmd && { Cmd }),
    ...(create.entrypoint && { Entrypoint: create.entrypoint }),
    ...(create.user && { User: create.user }),
    ...(create.workingDirectory && { WorkingDir: create.workingDirectory }),
    ...(create.labels && { Labels: { ...image.Labels, ...create.labels } }),
    ...(create.stopSignal && { StopSignal: stopSignal }),
    ...(healthCheck && { Healthcheck: healthCheck }),
  };
}

const allowed = [
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
];

/** Applies Dockerfile instructions to a config (`--change` of `docker commit` and `docker import`). Throws `InvalidArgument`. */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  if (changes.length === 0) return config;
  const { escape, instructions } = parseDockerfile(changes.join('\n'), 'changes');
  let state: StageState = { ...emptyState, config };
  for (const instruction of instructions) {
    const { kind } = instruction;
    if (!allowed.includes(kind)) throw new DabbaError('InvalidArgument', `${kind} is not a valid change command`);
    state = { ...state, ...changeOf(state, instruction, escape) };
  }
  return state.config;
}

function changeOf(state: StageState, instruction: Instruction, escape: string): Pick<StageState, 'config'> {
  const scope = scopeOf(state, escape);
  if (instruction.kind === 'WORKDIR') {
    const WorkingDir = posix.resolve('/', state.config.WorkingDir ?? '/', expand(instruction.text, scope));
    return { config: { ...state.config, WorkingDir } };
  }
  // Those that are no metadata were refused above.
  const { config, isCommandSet } = changeMetadata(state, instruction as MetadataInstruction, scope);
  return { config: config ?? state.config, ...(isCommandSet && { isCommandSet }) };
}
