import { closeSync } from 'node:fs';
import { request } from 'node:http';
import { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { connectTcp, type NetworkNamespace } from '#kernel';
import type { HealthCheck, Ipv4, TargetHealth } from '../model.ts';

export interface ProbeRequest {
  readonly address: Ipv4;
  readonly port: number;
  /** An address of the namespace. */
  readonly from: Ipv4;
  readonly check: HealthCheck;
}

export interface ProbeResult {
  readonly isHealthy: boolean;
  readonly reason?: NonNullable<TargetHealth['reason']>;
  readonly description?: string;
}

/** Asks a target once whether it is well. A target that is not is an answer, never a throw. */
export async function probe(
  namespace: NetworkNamespace,
  { check, ...at }: ProbeRequest,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const limit = AbortSignal.timeout(check.timeoutS * 1000);
  try {
    const descriptor = await connectTcp(namespace, at, AbortSignal.any([signal, limit]));
    if (check.protocol === 'tcp') {
      closeSync(descriptor);
      return { isHealthy: true };
    }
    const code = await statusOf(descriptor, at, check, AbortSignal.any([signal, limit]));
    if (matchesCode(check.matcher, code)) return { isHealthy: true };
    const description = `Health checks failed with these codes: [${code}]`;
    return { isHealthy: false, reason: 'response-code-mismatch', description };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return limit.aborted
      ? { isHealthy: false, reason: 'timeout', description: 'Request timed out' }
      : { isHealthy: false, reason: 'failed-checks', description: 'Health checks failed' };
  }
}

async function statusOf(
  descriptor: number,
  { address, port }: { readonly address: string; readonly port: number },
  { protocol, path }: HealthCheck,
  signal: AbortSignal,
): Promise<number> {
  const plain = new Socket({ fd: descriptor });
  // A load balancer checks that a target answers, not who it is.
  const stream = protocol === 'https' ? connectTls({ socket: plain, rejectUnauthorized: false }) : plain;
  try {
    return await new Promise<number>((resolve, reject) => {
      const asked = request({
        createConnection: () => stream,
        path,
        headers: { host: `${address}:${port}`, 'user-agent': 'ELB-HealthChecker/2.0', connection: 'close' },
        signal,
      });
      asked.once('response', (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.once('error', reject);
      asked.end();
    });
  } finally {
    stream.destroy();
    plain.destroy();
  }
}

/** Whether a matcher, `200`, `200,204` or `200-399`, has the code. */
export function matchesCode(matcher: string, code: number): boolean {
  return matcher.split(',').some((part) => {
    const [first = '', last = first] = part.split('-');
    return Number(first) <= code && code <= Number(last);
  });
}
