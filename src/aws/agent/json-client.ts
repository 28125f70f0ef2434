import { Agent, request, type IncomingMessage } from 'node:http';
import { DabbaError, messageOf, type Clock, type ErrorKind } from '#base';
import { signedHeaders, type Credentials } from './signed-request.ts';

/** One call of an awsJson 1.1 operation. */
export interface JsonCall {
  readonly service: string;
  /** `X-Amz-Target`, `Logs_20140328.PutLogEvents`. */
  readonly target: string;
  readonly region: string;
  readonly input: object;
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
}

/** An API said no. `code` is the exception's name; the kind tells whether asking again can help. */
export class ApiError extends DabbaError {
  readonly code: string;
  constructor(kind: ErrorKind, code: string, message: string) {
    super(kind, message);
    this.name = 'ApiError';
    this.code = code;
  }
}

/** Answers of the operations used here are small; a larger one is not an answer. */
const MAX_ANSWER_BYTES = 4 << 20;

/** A client of the AWS endpoint for the few operations that a node needs. */
export class JsonClient {
  readonly #endpoint: URL;
  readonly #clock: Clock;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(endpoint: string, clock: Clock) {
    this.#endpoint = new URL(endpoint);
    this.#clock = clock;
  }

  /** The operation's output. Throws `ApiError` for its refusals, `Unavailable` when the endpoint cannot be reached. */
  async call(call: JsonCall): Promise<unknown> {
    const body = Buffer.from(JSON.stringify(call.input));
    const headers = signedHeaders(
      {
        service: call.service,
        region: call.region,
        headers: {
          host: this.#endpoint.host,
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': call.target,
        },
        body,
      },
      call.credentials,
      this.#clock.now(),
    );
    const { status, text } = await this.#exchange(headers, body, call.signal);
    if (status === 200) return parse(text, call);
    throw refusal(status, text, call);
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(
    headers: ReturnType<typeof signedHeaders>,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const unreachable = (error: unknown) =>
      reject(
        signal.aborted
          ? signal.reason
          : new DabbaError('Unavailable', `${this.#endpoint.href} did not answer: ${messageOf(error)}`, {
              cause: error,
            }),
      );
    const outgoing = request(this.#endpoint, { method: 'POST', headers, agent: this.#agent, signal }, (answer) => {
      read(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text }), unreachable);
    });
    outgoing.on('error', unreachable);
    outgoing.end(body);
    return promise;
  }
}

async function read(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_ANSWER_BYTES) throw new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string, { target }: JsonCall): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch (error) {
    throw new DabbaError('Unavailable', `the answer to ${target} is not JSON: ${text.slice(0, 100)}`, { cause: error });
  }
}

/** Which refusals are worth telling apart; by the end of the exception's name. */
const kinds: readonly (readonly [RegExp, ErrorKind])[] = [
  [/AccessDenied|UnauthorizedOperation|NotAuthorized/, 'PermissionDenied'],
  [/ExpiredToken|InvalidSignature|UnrecognizedClient|InvalidClientToken/, 'Unauthenticated'],
  [/AlreadyExists/, 'AlreadyExists'],
  [/NotFound/, 'NotFound'],
  [/Throttl|RequestLimitExceeded|ServiceUnavailable/, 'Unavailable'],
  [/UnsupportedOperation/, 'Unimplemented'],
];

function refusal(status: number, text: string, call: JsonCall): DabbaError {
  // Whatever answered, what it says of itself is read as far as it can be.
  const answer = (text.startsWith('{') ? parse(text, call) : {}) as {
    readonly __type?: string;
    readonly message?: string;
    readonly Message?: string;
  };
  const code = answer.__type?.split('#').at(-1) ?? `HTTP ${status}`;
  const known = kinds.find(([form]) => form.test(code))?.[1];
  const kind = known ?? (status >= 500 ? 'Unavailable' : 'InvalidArgument');
  return new ApiError(kind, code, `${code}: ${answer.message ?? answer.Message ?? text.slice(0, 200)}`);
}
