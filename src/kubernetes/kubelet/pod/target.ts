import { Socket } from 'node:net';
import type { Container } from '#engine';
import { connectTcp, identifyProcess, openNetworkNamespace, signalProcess } from '#kernel';
import { DabbaError } from '#base';
import type * as types from '../../types.ts';
import type { ProbeTarget } from '../probe/probe.ts';
import type { PodRun } from './run.ts';

const longestOutputBytes = 10 * 1024;
const killSignal = 9;

/** A container as probes and hooks reach it: through its own network, and by commands inside. */
export function probeTarget(run: PodRun, container: types.Container, { id }: Pick<Container, 'id'>): ProbeTarget {
  return {
    container,
    get address() {
      return run.sandbox?.privateIp ?? '127.0.0.1';
    },
    dial: (port, { address, signal }) => dialPod(run, { address, port }, signal),
    run: (command, signal) => runInside(run, { id, command }, signal),
  };
}

/** A connection made inside a pod's network. Throws `Unavailable` when it has none, `KernelError` when it is refused. */
export async function dialPod(
  run: PodRun,
  at: { readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<Socket> {
  const path = run.sandbox?.netnsPath;
  using namespace = path === undefined ? undefined : openNetworkNamespace(path);
  if (!namespace) throw new DabbaError('Unavailable', `pod ${run.ref.name} has no network`);
  const address = at.address === 'localhost' ? '127.0.0.1' : at.address;
  const fd = await connectTcp(namespace, { address, port: at.port }, signal);
  return new Socket({ fd, allowHalfOpen: true });
}

async function runInside(
  { context: { engine } }: PodRun,
  { id, command }: { readonly id: string; readonly command: readonly string[] },
  signal: AbortSignal,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const exec = await engine.containers.exec(id, { args: command, stdin: false });
  await using _ = exec.attachment;
  const process = identifyProcess(exec.pid);
  const onAbort = () => void (process && signalProcess(process, killSignal));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const { data } of exec.attachment.output) {
      signal.throwIfAborted();
      // What is too long is still taken, or the process would block on it.
      if (sizeBytes < longestOutputBytes) chunks.push(data);
      sizeBytes += data.length;
    }
    const { exitCode } = await exec.wait(signal);
    return { exitCode, output: Buffer.concat(chunks).subarray(0, longestOutputBytes).toString() };
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
