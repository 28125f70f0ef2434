import { messageOf } from '#base';
import type * as types from '../../types.ts';
import { probeGrpc } from './grpc.ts';
import { probeHttp } from './http.ts';
import { failed, portOf, type ProbeOutcome, type ProbeTarget, succeeded } from './probe.ts';
import { probeTcp } from './tcp.ts';

/** Puts a probe to a container once. Whatever goes wrong is a failure of the probe, except the end of `signal`, which is the caller's. */
export async function attemptProbe(
  target: ProbeTarget,
  probe: types.Probe,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  // The probe itself says how long it may take.
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    return await putTo(target, probe, { timeoutMs, signal: limited });
  } catch (error) {
    signal.throwIfAborted();
    return failed(messageOf(error));
  }
}

async function putTo(
  target: ProbeTarget,
  { exec, httpGet, tcpSocket, grpc }: types.Probe,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ProbeOutcome> {
  if (exec) return await probeExec(target, { command: exec.command ?? [], timeoutMs }, signal);
  if (grpc) return await probeGrpc(target, { port: grpc.port, service: grpc.service ?? '' }, signal);
  const asked = httpGet?.port ?? tcpSocket?.port;
  if (asked === undefined) return succeeded;
  const port = portOf(target.container, asked);
  if (port === undefined) return failed(`couldn't find port: ${asked}`);
  if (httpGet) return await probeHttp(target, { action: httpGet, port }, signal);
  return await probeTcp(target, { host: tcpSocket?.host, port }, signal);
}

/** Succeeds when a command inside the container ends with code 0. */
async function probeExec(
  target: ProbeTarget,
  { command, timeoutMs }: { readonly command: readonly string[]; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  try {
    const { exitCode, output } = await target.run(command, signal);
    return exitCode === 0 ? succeeded : failed(output.trimEnd());
  } catch (error) {
    if (!signal.aborted) throw error;
    return failed(`command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`);
  }
}
