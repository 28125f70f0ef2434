import { parseArgs, type ParseArgsOptionDescriptor } from 'node:util';

/** One subcommand of `dabba`. Its module is loaded only when it is called, so that `dabba status` stays quick. */
export interface Command {
  /** What it does, one line, for the help page. */
  readonly summary: string;
  /** Arguments after the name, for the help page. */
  readonly usage: string;
  readonly options: {
    readonly [name: string]: ParseArgsOptionDescriptor & { readonly help: string; readonly placeholder?: string };
  };
  /** Does the work and returns the exit status. */
  run(invocation: Invocation): Promise<number>;
}

/** A parsed command line. */
export interface Invocation {
  readonly options: { readonly [name: string]: string | boolean | readonly (string | boolean)[] | undefined };
  readonly positionals: readonly string[];
}

/** A failure that is the user's to mend: printed without a stack as what, why, and what to do next. */
export class UsageError extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}

/** Options that every command takes. */
export const commonOptions = {
  data: { type: 'string', help: 'directory that holds all state', placeholder: 'DIR' },
  json: { type: 'boolean', help: 'print JSON' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
} as const satisfies Command['options'];

/** Parses `args` for `command`; throws `UsageError` naming what is wrong. */
export function parseInvocation(name: string, command: Command, args: readonly string[]): Invocation {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...command.options, ...commonOptions },
      allowPositionals: true,
    });
    return { options: values, positionals };
  } catch (error) {
    throw new UsageError(
      `dabba ${name}: ${error instanceof Error ? error.message : String(error)}`,
      `see: dabba ${name} --help`,
    );
  }
}

/** The value of a string option. */
export function text(invocation: Invocation, name: string): string | undefined {
  const value = invocation.options[name];
  return typeof value === 'string' ? value : undefined;
}

/** The values of a string option that may be given more than once. */
export function texts(invocation: Invocation, name: string): readonly string[] {
  const values = invocation.options[name];
  return Array.isArray(values) ? values.filter((value): value is string => typeof value === 'string') : [];
}

/** True if a boolean option was given. */
export function flag(invocation: Invocation, name: string): boolean {
  return invocation.options[name] === true;
}
