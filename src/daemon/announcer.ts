/** How a process that was started in the background tells its parent how the start went: lines over a descriptor, then its end. */
import { closeSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { systemCode } from '#base';

const VARIABLE = 'DABBA_READY_FD';

/** Give these to a child whose fourth stdio is a pipe. */
export const announcing: NodeJS.ProcessEnv = { [VARIABLE]: '3' };

export interface Announcer {
  ready(...facts: readonly string[]): void;
  failed(message: string): void;
}

/**
 * The child's side. Without such a parent, `alone` is told what there is to know of a start that went well. Of the two only the first call counts; a parent that has gone meanwhile is
 * told nothing.
 */
export function announcer(alone: (facts: readonly string[]) => void): Announcer {
  const fd = Number(process.env[VARIABLE] ?? 0);
  delete process.env[VARIABLE];
  if (!fd) return { ready: (...facts) => alone(facts), failed: () => undefined };
  let isTold = false;
  const tell = (text: string) => {
    if (isTold) return;
    isTold = true;
    try {
      writeSync(fd, text);
    } catch (error) {
      if (systemCode(error) !== 'EPIPE') throw error;
    } finally {
      closeSync(fd);
    }
  };
  return { ready: (...facts) => tell(`${facts.join('\n')}\nready\n`), failed: (message) => tell(`${message}\n`) };
}

/** The parent's side: resolves when the child is ready, or has said why not, or is gone. */
export async function announcement(
  lines: Readable,
): Promise<{ readonly isReady: boolean; readonly said: readonly string[] }> {
  const said: string[] = [];
  try {
    for await (const line of createInterface({ input: lines })) {
      if (line === 'ready') return { isReady: true, said };
      if (line) said.push(line);
    }
    return { isReady: false, said };
  } finally {
    lines.destroy();
  }
}
