/** The `dabba` command: finds the subcommand, runs it, and turns failures into messages. */
import { writeSync } from 'node:fs';
import { isDabbaError, slimHttp } from '#base';
import { commonOptions, parseInvocation, UsageError, type Command } from './command.ts';

const commands: { readonly [name: string]: () => Promise<Command> } = {
  up: async () => (await import('./up.ts')).up,
  down: async () => (await import('./down.ts')).down,
  status: async () => (await import('./status.ts')).status,
  env: async () => (await import('./env.ts')).env,
  demo: async () => (await import('./demo.ts')).demo,
  build: async () => (await import('./build.ts')).build,
  images: async () => (await import('./images.ts')).images,
  doctor: async () => (await import('./doctor.ts')).doctor,
  coverage: async () => (await import('./coverage.ts')).coverage,
  reset: async () => (await import('./reset.ts')).reset,
};

/** Not for people: the launcher calls it once after it has installed the dependencies. */
const FILL_COMPILE_CACHE = 'fill-compile-cache';

async function main(args: readonly string[]): Promise<number> {
  slimHttp();
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return await printHelp();
  if (name === FILL_COMPILE_CACHE) return await fillCompileCache();
  const load = commands[name];
  if (!load) throw new UsageError(`dabba: there is no command "${name}"`, 'see: dabba help');
  const command = await load();
  const invocation = parseInvocation(name, command, rest);
  if (invocation.options['help'] === true) return printCommandHelp(name, command);
  return await command.run(invocation);
}

async function fillCompileCache(): Promise<number> {
  await Promise.all(Object.values(commands).map((load) => load()));
  await (await import('#daemon')).fillCompileCache();
  return 0;
}

async function printHelp(): Promise<number> {
  const lines = ['dabba: a container cloud in one process', '', 'usage: dabba COMMAND [OPTIONS]', ''];
  for (const [name, load] of Object.entries(commands)) lines.push(`  ${name.padEnd(10)} ${(await load()).summary}`);
  lines.push('', 'dabba COMMAND --help tells more about one of them.');
  print(lines.join('\n'));
  return 0;
}

function printCommandHelp(name: string, command: Command): number {
  const lines = [`usage: dabba ${name} ${command.usage}`.trimEnd(), '', `  ${command.summary}`, ''];
  for (const [option, { short, placeholder, help }] of Object.entries({
    ...command.options,
    ...commonOptions,
  } as Command['options'])) {
    const form = `${short ? `-${short}, ` : ''}--${option}${placeholder ? ` ${placeholder}` : ''}`;
    lines.push(`  ${form.padEnd(26)} ${help}`);
  }
  print(lines.join('\n'));
  return 0;
}

function print(text: string): void {
  writeSync(1, `${text}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 1;
  if (error instanceof UsageError) writeSync(2, `${error.message}\n${error.hint ? `  ${error.hint}\n` : ''}`);
  else if (isDabbaError(error)) writeSync(2, `dabba: ${error.message}\n`);
  else
    writeSync(
      2,
      `dabba: unexpected failure, please report it\n${error instanceof Error ? error.stack : String(error)}\n`,
    );
}
