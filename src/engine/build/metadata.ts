import { parseFault } from './fault.ts';
import type { ImageConfig } from '../engine.ts';
import type { Command, Instruction } from './instruction.ts';
import { environmentOf, type StageState } from './state.ts';
import { expand, expandToWords, type WordScope } from './words.ts';

/** What an instruction without files changes, and how the history tells it. */
export interface MetadataChange {
  readonly config?: ImageConfig;
  readonly author?: string;
  readonly isCommandSet?: boolean;
  readonly createdBy: string;
}

export type MetadataInstruction = Exclude<
  Instruction,
  { readonly kind: 'FROM' | 'ARG' | 'RUN' | 'COPY' | 'ADD' | 'WORKDIR' }
>;

/** Applies an instruction that touches the image's config alone. */
export function changeMetadata(state: StageState, instruction: MetadataInstruction, scope: WordScope): MetadataChange {
  const { config } = state;
  switch (instruction.kind) {
    case 'ENV': {
      const assigned = expandAll(instruction.assignments, scope);
      const environment = new Map([...environmentOf(config), ...assigned]);
      return { config: { ...config, Env: pairs(environment) }, createdBy: `ENV ${pairs(assigned).join(' ')}` };
    }
    case 'LABEL': {
      const assigned = expandAll(instruction.assignments, scope);
      return withLabels(config, Object.fromEntries(assigned));
    }
    case 'USER': {
      const User = expand(instruction.text, scope);
      return { config: { ...config, User }, createdBy: `USER ${User}` };
    }
    case 'STOPSIGNAL': {
      const StopSignal = expand(instruction.text, scope);
      if (!/^(?:SIG)?[A-Z][A-Z0-9+-]*$|^\d{1,2}$/i.test(StopSignal))
        throw parseFault(instruction.at, `Invalid signal: ${StopSignal}`);
      return { config: { ...config, StopSignal }, createdBy: `STOPSIGNAL ${StopSignal}` };
    }
    case 'MAINTAINER':
      return { author: instruction.text, createdBy: `MAINTAINER ${instruction.text}` };
    case 'EXPOSE': {
      const ports = instruction.words
        .flatMap((word) => expandToWords(word, scope))
        .flatMap((word) => portsOf(instruction, word));
      const ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
      return { config: { ...config, ExposedPorts }, createdBy: `EXPOSE [${ports.join(' ')}]` };
    }
    case 'VOLUME': {
      const paths = instruction.words.map((word) => expand(word, scope));
      if (paths.includes('')) throw parseFault(instruction.at, 'VOLUME specified can not be an empty string');
      const Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
      return { config: { ...config, Volumes }, createdBy: `VOLUME [${paths.join(' ')}]` };
    }
    case 'SHELL':
      return { config: { ...config, Shell: instruction.args }, createdBy: `SHELL [${instruction.args.join(' ')}]` };
    case 'CMD': {
      const Cmd = commandArgs(instruction.command, config);
      return { config: { ...config, Cmd }, isCommandSet: true, createdBy: `CMD ${quoted(Cmd)}` };
    }
    case 'ENTRYPOINT': {
      const Entrypoint = commandArgs(instruction.command, config);
      const { Cmd, ...rest } = config;
      // An inherited CMD was meant for the inherited ENTRYPOINT.
      const kept = state.isCommandSet && Cmd ? { Cmd } : {};
      return { config: { ...rest, ...kept, Entrypoint }, createdBy: `ENTRYPOINT ${quoted(Entrypoint)}` };
    }
    case 'HEALTHCHECK': {
      const { check } = instruction;
      const Healthcheck =
        check.type === 'none' ? { Test: ['NONE'] } : { Test: healthTest(check.command), ...check.timing };
      return { config: { ...config, Healthcheck }, createdBy: instruction.source };
    }
    case 'ONBUILD':
    default: {
      const OnBuild = [...(config.OnBuild ?? []), instruction.trigger];
      return { config: { ...config, OnBuild }, createdBy: `ONBUILD ${instruction.trigger}` };
    }
  }
}

/** Adds labels, as LABEL does. */
export function withLabels(config: ImageConfig, labels: { readonly [name: string]: string }): MetadataChange {
  return {
    config: { ...config, Labels: { ...config.Labels, ...labels } },
    createdBy: `LABEL ${pairs(Object.entries(labels)).join(' ')}`,
  };
}

/** The argument vector of a command: the shell form goes through the image's shell. */
export function commandArgs(command: Command, config: ImageConfig): readonly string[] {
  return command.form === 'exec' ? command.args : [...shellOf(config), command.text];
}

export const shellOf = (config: ImageConfig): readonly string[] => config.Shell ?? ['/bin/sh', '-c'];

function healthTest(command: Command): readonly string[] {
  return command.form === 'shell' ? ['CMD-SHELL', command.text] : ['CMD', ...command.args];
}

function expandAll(
  assignments: readonly { readonly name: string; readonly value: string }[],
  scope: WordScope,
): Map<string, string> {
  return new Map(assignments.map(({ name, value }) => [expand(name, scope), expand(value, scope)]));
}

/** `8080`, `8080/udp`, `8000-8010/tcp` as single ports. */
function portsOf(instruction: MetadataInstruction, word: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (!match || first < 1 || last > 65535 || last < first)
    throw parseFault(instruction.at, `invalid containerPort: ${word} in EXPOSE`);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${match[3]?.toLowerCase() ?? 'tcp'}`);
}

const pairs = (entries: Iterable<readonly [string, string]>) => [...entries].map(([name, value]) => `${name}=${value}`);
const quoted = (words: readonly string[]) => `[${words.map((word) => JSON.stringify(word)).join(' ')}]`;
