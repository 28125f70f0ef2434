import type { Location } from './fault.ts';
import type { Flag, Heredoc } from './lines.ts';

/** A command as written: for a shell to read, or as the argument vector itself. */
export type Command =
  | { readonly form: 'shell'; readonly text: string }
  | { readonly form: 'exec'; readonly args: readonly string[] };

export interface Assignment {
  readonly name: string;
  /** Still to be expanded. */
  readonly value: string;
}

export interface Declaration {
  readonly name: string;
  /** Still to be expanded; undefined when only declared. */
  readonly value?: string;
}

/** What COPY and ADD have in common. */
export interface CopyInstruction {
  readonly kind: 'COPY' | 'ADD';
  readonly sources: readonly string[];
  readonly destination: string;
  /** Sources that are heredocs. */
  readonly inline: readonly Heredoc[];
  readonly from?: string;
  readonly owner?: string;
  readonly mode?: string;
  readonly excludes: readonly string[];
  readonly isParentsKept: boolean;
  /** The layer depends on nothing beneath it: no link of the image is followed. */
  readonly isLinked: boolean;
  /** What a remote source must have: `sha256:…` of a file, the commit of a repository. */
  readonly checksum?: string;
  readonly isGitDirectoryKept: boolean;
  /** Whether ADD unpacks archives; undefined for the usual: those of the context, not those fetched. */
  readonly isUnpacked?: boolean;
}

export interface RunInstruction {
  readonly kind: 'RUN';
  readonly command: Command;
  readonly heredocs: readonly Heredoc[];
  readonly flags: readonly Flag[];
}

export type Body =
  | { readonly kind: 'FROM'; readonly base: string; readonly name?: string; readonly platform?: string }
  | { readonly kind: 'ARG'; readonly declarations: readonly Declaration[] }
  | { readonly kind: 'ENV' | 'LABEL'; readonly assignments: readonly Assignment[] }
  | { readonly kind: 'WORKDIR'; readonly text: string }
  | { readonly kind: 'USER' | 'STOPSIGNAL' | 'MAINTAINER'; readonly text: string }
  | { readonly kind: 'CMD' | 'ENTRYPOINT'; readonly command: Command }
  | { readonly kind: 'SHELL'; readonly args: readonly string[] }
  | { readonly kind: 'EXPOSE' | 'VOLUME'; readonly words: readonly string[] }
  | { readonly kind: 'HEALTHCHECK'; readonly check: HealthCheck }
  | { readonly kind: 'ONBUILD'; readonly trigger: string }
  | CopyInstruction
  | RunInstruction;

export type HealthCheck =
  | { readonly type: 'none' }
  | { readonly type: 'command'; readonly command: Command; readonly timing: HealthTiming };

/** Durations in nanoseconds, as the image config has them. */
export interface HealthTiming {
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export type Instruction = Body & {
  readonly at: Location;
  /** In one line, as written. */
  readonly source: string;
};

export type InstructionOf<Kind extends Body['kind']> = Extract<Instruction, { readonly kind: Kind }>;
