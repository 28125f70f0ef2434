import type { IncomingMessage, ServerResponse } from 'node:http';
import { isDabbaError, type Clock, type Logger, type Random } from '#base';
import { SignatureVerifier, type Authorizer, type Identities } from '../auth/index.ts';
import type { Idempotency } from '../idempotency.ts';
import type { ServiceDefinition } from '../service.ts';
import type { VpcCaller } from '../vpc-addresses.ts';
import { jsonWire, type Structure, type WireReply } from '../wire/index.ts';
import { authenticate } from './authenticate.ts';
import { authorize, giveContext } from './authorize.ts';
import { decodeBody, readBody } from './body.ts';
import type { Call, FinishedCall } from './call.ts';
import { wireErrorOf } from './faults.ts';
import { findOperation, findService } from './find.ts';
import { readInput } from './input.ts';
import { perform } from './perform.ts';
import { resolve } from './resolve.ts';
import { Services } from './services.ts';

export interface EdgeOptions {
  readonly services: readonly ServiceDefinition[];
  readonly identities: Identities;
  /** Those that may call from inside a VPC. Default: nobody. */
  readonly guestIdentities?: Identities;
  readonly authorizer: Authorizer;
  /** One record a call whose caller is known. */
  readonly audit: CallObserver;
  /** One count a call that reached an operation. */
  readonly metrics: CallObserver;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Base URL for calls without a `Host`. */
  readonly endpoint: string;
  /** Absent: client tokens are not remembered. */
  readonly idempotency?: Idempotency;
}

/** Is told of every call that reached an operation, when its reply is on its way. Must not throw. */
export interface CallObserver {
  observe(finished: FinishedCall): void;
}

/** The AWS endpoint for all services. */
export interface Edge {
  /** Serves one request, of a caller on loopback or, with `from`, inside a VPC. Never rejects: what fails is answered in the caller's protocol. */
  handle(request: IncomingMessage, response: ServerResponse, from?: VpcCaller): Promise<void>;
  readonly services: Services;
}

const nobody: Pick<Identities, 'find' | 'hasExpired'> = { find: async () => undefined, hasExpired: () => false };

const DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024;

/** The path of every AWS call: a short list of steps, each in a file of its own. */
export function createEdge(options: EdgeOptions): Edge {
  const { identities, authorizer, idempotency, logger } = options;
  const services = new Services(options.services);
  const guests = options.guestIdentities ?? nobody;
  const verifier = new SignatureVerifier();

  async function serve(call: Call, request: IncomingMessage): Promise<Structure> {
    await findService(call, services);
    const limitBytes = call.service?.definition.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    call.http = { ...call.http, body: await readBody(request, limitBytes) };
    await findOperation(call, services);
    await authenticate(call, call.vpcId === undefined ? identities : guests, verifier);
    decode(call, limitBytes);
    readInput(call);
    giveContext(call, authorizer);
    await resolve(call);
    await authorize(call, authorizer);
    if (call.unresolved) throw call.unresolved;
    return perform(call, idempotency);
  }

  async function handle(request: IncomingMessage, response: ServerResponse, from?: VpcCaller): Promise<void> {
    const call = beginCall(request, options, from);
    try {
      const output = await serve(call, request);
      const reply = call.wire!.write(call.service!.model, call.wireCall!.operation, output, call.requestId);
      send(response, reply, call.requestId);
      finish({ call, output, error: undefined, endedAt: options.clock.now() });
    } catch (error) {
      if (isDabbaError(error, 'Cancelled') && request.destroyed) return;
      const told = wireErrorOf(error, call, logger);
      send(response, (call.wire ?? jsonWire).writeError(call.service?.model, told, call.requestId), call.requestId);
      finish({ call, output: undefined, error: told, endedAt: options.clock.now() });
    }
  }

  function finish(finished: FinishedCall): void {
    if (!finished.call.wireCall) return;
    options.metrics.observe(finished);
    if (finished.call.principal) options.audit.observe(finished);
  }

  return { handle, services };
}

function beginCall(request: IncomingMessage, options: EdgeOptions, from: VpcCaller | undefined): Call {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const { host } = request.headers;
  const isSecure = 'encrypted' in request.socket;
  return {
    requestId: options.random.uuid(),
    startedAt: options.clock.now(),
    sourceIp: from?.address ?? (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    ...(from && { vpcId: from.vpcId }),
    userAgent: request.headers['user-agent'] ?? '',
    endpoint: host === undefined ? options.endpoint : `${isSecure ? 'https' : 'http'}://${host}`,
    isSecure,
    http: {
      method: request.method ?? 'GET',
      path: mark < 0 ? url : url.slice(0, mark),
      query: mark < 0 ? '' : url.slice(mark + 1),
      headers: request.headers,
      body: Buffer.alloc(0),
    },
  };
}

/** The signature covers the body as sent; everything after it wants the body as meant. */
function decode(call: Call, limitBytes: number): void {
  const encoding = call.http.headers['content-encoding'];
  if (encoding === undefined) return;
  call.http = { ...call.http, body: decodeBody(call.http.body, encoding, limitBytes) };
  call.wireCall = call.wire!.find(call.service!.model, call.http)!;
}

function send(response: ServerResponse, reply: WireReply, requestId: string): void {
  if (response.destroyed) return;
  const { body } = reply;
  const sizeBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  // The rest of a body that was refused unread would be taken for the next request.
  const connection = reply.status === 413 ? { connection: 'close' } : {};
  response.writeHead(reply.status, {
    ...reply.headers,
    ...connection,
    'x-amzn-requestid': requestId,
    'content-length': sizeBytes,
  });
  response.end(body);
}
