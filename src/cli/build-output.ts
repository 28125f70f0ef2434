import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { DabbaError } from '#base';
import { fieldsOf } from './build-secrets.ts';
import { UsageError } from './command.ts';

/** Where the files of a build go. */
export type Output = { readonly type: 'local' | 'tar'; readonly destination: string };

/** `DIR`, `-`, `type=local,dest=DIR`, `type=tar,dest=FILE`. Undefined for an image. */
export function readOutput(option: string | undefined): Output | undefined {
  if (option === undefined) return undefined;
  if (option === '-') return { type: 'tar', destination: '-' };
  if (!option.includes('=')) return { type: 'local', destination: option };
  const { type, dest } = fieldsOf(option);
  if (type === 'image' || type === 'docker') return undefined;
  if (type !== 'local' && type !== 'tar')
    throw new UsageError(`--output ${option}: there is no type "${type ?? ''}"`, 'there are local and tar');
  if (dest === undefined && type === 'local') throw new UsageError(`--output ${option}: it has no dest=DIR`);
  return { type, destination: dest ?? '-' };
}

/** Takes a tar and keeps or unpacks it. */
export interface OpenOutput extends AsyncDisposable {
  write(data: Buffer): Promise<void>;
  /** Resolves when everything is in its place. */
  end(): Promise<void>;
}

export function openOutput({ type, destination }: Output): OpenOutput {
  if (type === 'tar') {
    const stream = destination === '-' ? process.stdout : createWriteStream(destination);
    const end = async () => {
      if (destination !== '-') await endOf(stream);
    };
    return into(stream, end, end);
  }
  mkdirSync(destination, { recursive: true });
  const child = spawn('tar', ['--no-same-owner', '-xpf', '-', '-C', destination], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const end = async () => {
    child.stdin.end();
    const [status] = await closed;
    if (status !== 0)
      throw new DabbaError('Unavailable', `unpacking into ${destination} failed: tar ended with status ${status}`);
  };
  const giveUp = async () => {
    child.kill();
    await closed;
  };
  return into(child.stdin, end, giveUp);
}

function into(stream: Writable, end: () => Promise<void>, giveUp: () => Promise<void>): OpenOutput {
  let isEnded = false;
  // A failure is seen by the next write, or at the end.
  stream.on('error', () => undefined);
  return {
    async write(data) {
      if (stream.errored) throw stream.errored;
      if (!stream.write(data)) await once(stream, 'drain');
    },
    async end() {
      isEnded = true;
      await end();
    },
    async [Symbol.asyncDispose]() {
      if (!isEnded) await giveUp();
    },
  };
}

async function endOf(stream: Writable): Promise<void> {
  stream.end();
  if (!stream.closed) await once(stream, 'close');
  if (stream.errored) throw stream.errored;
}
