import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { DabbaError, messageOf } from '#base';
import { statusErrorOf } from '../status.ts';

export interface HttpClientOptions {
  /** `https://127.0.0.1:6443`. */
  readonly server: string;
  readonly certificateAuthorityPem: string;
  /** Who the client is: a certificate, or a token. */
  readonly identity:
    | { readonly certificatePem: string; readonly keyPem: string }
    /** Asked before each request, so that it may be renewed. */
    | { readonly token: () => string };
  /** Names the writer in `managedFields`. */
  readonly fieldManager: string;
}

export interface HttpCall {
  readonly method: string;
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  readonly signal: AbortSignal | undefined;
}

/** Upstream refuses larger answers nowhere; a list page is far smaller. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

/** Requests to one API server over kept connections. */
export class HttpTransport {
  readonly #agent: Agent;
  readonly #origin: URL;
  readonly #options: HttpClientOptions;

  constructor(options: HttpClientOptions) {
    const { identity, certificateAuthorityPem } = options;
    this.#options = options;
    this.#origin = new URL(options.server);
    this.#agent = new Agent({
      keepAlive: true,
      ca: certificateAuthorityPem,
      ...('certificatePem' in identity && { cert: identity.certificatePem, key: identity.keyPem }),
    });
  }

  /** The answer as an object. Throws `StatusError` for a refusal, `Unavailable` when there is no answer. */
  async call<T>(call: HttpCall): Promise<T> {
    const response = await this.#send(call);
    const text = await readAll(response);
    const code = response.statusCode ?? 500;
    const body = parse(text);
    if (code >= 400) throw statusErrorOf(code, body ?? { message: text.trim() });
    if (body === undefined)
      throw new DabbaError('Unavailable', `the API server answered no JSON to ${call.method} ${call.path}`);
    // The caller knows what the path answers.
    return body as T;
  }

  /** The lines of an answer that goes on. Throws as `call` does. */
  async *lines(call: HttpCall): AsyncGenerator<string> {
    const response = await this.#send(call);
    const code = response.statusCode ?? 500;
    if (code >= 400) throw statusErrorOf(code, parse(await readAll(response)) ?? {});
    response.setEncoding('utf8');
    let rest = '';
    try {
      for await (const piece of response) {
        const lines = (rest + String(piece)).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line) yield line;
      }
    } catch (error) {
      if (call.signal?.aborted) return;
      throw new DabbaError('Unavailable', `the connection to the API server broke: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send({ method, path, body, signal }: HttpCall): Promise<IncomingMessage> {
    const { identity } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = request({
      agent: this.#agent,
      host: this.#origin.hostname,
      port: this.#origin.port,
      method,
      path,
      headers: {
        accept: 'application/json',
        'user-agent': this.#options.fieldManager,
        ...('token' in identity && { authorization: `Bearer ${identity.token()}` }),
        ...(body && { 'content-type': body.type, 'content-length': Buffer.byteLength(body.text) }),
      },
      ...(signal && { signal }),
    });
    sent.on('response', resolve);
    sent.on('error', (error) => {
      reject(signal?.aborted ? (signal.reason as Error) : unavailable(this.#options.server, error));
    });
    sent.end(body?.text);
    return promise;
  }
}

function unavailable(server: string, error: Error): DabbaError {
  return new DabbaError('Unavailable', `the API server ${server} cannot be reached: ${error.message}`, {
    cause: error,
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response) {
    // Without an encoding set, a response gives buffers.
    pieces.push(piece as Buffer);
    size += (piece as Buffer).length;
    if (size > MAX_ANSWER_BYTES)
      throw new DabbaError('ResourceExhausted', 'the API server answers more than can be kept');
  }
  return Buffer.concat(pieces, size).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
