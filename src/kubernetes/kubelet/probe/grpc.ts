import { connect } from 'node:http2';
import { messageOf } from '#base';
import { KernelError } from '#kernel';
import { dialFailure, failed, type ProbeOutcome, type ProbeTarget, succeeded } from './probe.ts';

const path = '/grpc.health.v1.Health/Check';
const longestAnswerBytes = 4096;
const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const unimplemented = '12';

/** Asks a gRPC server of the container for its health (grpc/doc/health-checking.md); succeeds when it says SERVING. */
export async function probeGrpc(
  target: ProbeTarget,
  { port, service }: { readonly port: number; readonly service: string },
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const place = `${target.address}:${port}`;
  const noConnection = `error: failed to connect service at "${place}"`;
  try {
    const { status, code, message } = await check(target, { port, service }, signal);
    if (code === unimplemented)
      return failed('error: this server does not implement the grpc health protocol (grpc.health.v1.Health)');
    if (code !== '0') return failed(`error: health rpc probe failed: rpc error: code = ${code} desc = ${message}`);
    return status === 'SERVING' ? succeeded : failed(`service unhealthy (responded with "${status}")`);
  } catch (error) {
    if (signal.aborted) return failed(`timeout: failed to connect service "${place}": context deadline exceeded`);
    return failed(`${noConnection}: ${error instanceof KernelError ? dialFailure(error, place) : messageOf(error)}`);
  }
}

interface Answer {
  readonly status: string;
  /** gRPC's own status code. */
  readonly code: string;
  readonly message: string;
}

async function check(
  target: ProbeTarget,
  { port, service }: { readonly port: number; readonly service: string },
  signal: AbortSignal,
): Promise<Answer> {
  const socket = await target.dial(port, { address: target.address, signal });
  using scope = new DisposableStack();
  scope.defer(() => socket.destroy());
  const session = connect(`http://${target.address}:${port}`, { createConnection: () => socket });
  scope.defer(() => session.destroy());
  const { promise: broken, reject } = Promise.withResolvers<never>();
  session.on('error', reject);
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  scope.defer(() => signal.removeEventListener('abort', onAbort));
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    'user-agent': 'kube-probe/1.34',
    te: 'trailers',
  });
  stream.end(requestMessage(service));
  return await Promise.race([readAnswer(stream), broken]);
}

async function readAnswer(stream: ReturnType<ReturnType<typeof connect>['request']>): Promise<Answer> {
  let code = '';
  let message = '';
  const note = (headers: { readonly [name: string]: unknown }) => {
    if (typeof headers['grpc-status'] === 'string') code = headers['grpc-status'];
    if (typeof headers['grpc-message'] === 'string') message = headers['grpc-message'];
  };
  stream.on('response', note).on('trailers', note);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > longestAnswerBytes) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return { status: statusOf(Buffer.concat(chunks)), code, message };
}

/** `HealthCheckRequest { string service = 1; }` behind gRPC's length prefix. */
function requestMessage(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  const message = name.length ? Buffer.concat([Buffer.from([0x0a, name.length]), name]) : name;
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** `HealthCheckResponse { ServingStatus status = 1; }`; an absent field is 0, UNKNOWN. */
function statusOf(answer: Buffer): string {
  const status = answer.length >= 7 && answer[5] === 0x08 ? answer[6]! : 0;
  return statuses[status] ?? String(status);
}
