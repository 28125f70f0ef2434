import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DabbaError } from '#base';

/** The path of a program, or undefined. */
export function findOnPath(program: string): string | undefined {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
    .map((directory) => join(directory, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false; // not here, or not ours to run: the next directory may have it
      }
    });
}

/** Runs a program to its end and returns what it printed. Each line goes to `onLine` as it comes. Throws with its last words. */
export async function run(program: string, args: readonly string[], onLine?: (line: string) => void): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  const output: string[] = [];
  const complaints: string[] = [];
  const read = async (stream: NodeJS.ReadableStream, lines: string[]) => {
    for await (const line of createInterface({ input: stream })) {
      lines.push(line);
      onLine?.(line);
    }
  };
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  await Promise.all([read(child.stdout, output), read(child.stderr, complaints)]);
  const status = await ended;
  if (status !== 0)
    throw new DabbaError(
      'Unavailable',
      `${program} ended with status ${status}: ${[...output, ...complaints].slice(-4).join('; ')}`,
    );
  return output.join('\n');
}
