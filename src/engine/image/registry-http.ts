import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as SecureAgent, request as httpsRequest } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { DabbaError, messageOf, systemCode } from '#base';
import { RegistryUnreachable } from './registry-errors.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: { readonly [name: string]: string };
  readonly body?: Buffer | Readable;
  readonly signal: AbortSignal;
}

/** So that an endpoint out of reach soon makes room for the next. */
const connectMs = 5_000;
/** A connection that says nothing for so long is taken for dead. */
const silenceMs = 60_000;

/** A kept connection that the server closed just as it was used: nothing was asked yet. */
class StaleConnection extends Error {}

/** Kept connections to registries. Answers are streams; whoever gets one reads it to its end or destroys it. */
export class RegistryHttp implements Disposable {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #secureAgent = new SecureAgent({ keepAlive: true });

  /** Resolves with the head of the answer, whatever its status. Throws `RegistryUnreachable` if there is none. */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    const { url, body } = request;
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new DabbaError('InvalidArgument', `registry address "${url.href}" is not HTTP`);
    for (;;)
      try {
        return await this.#sendOnce(request);
      } catch (error) {
        const isStale = error instanceof RegistryUnreachable && error.cause instanceof StaleConnection;
        if (!isStale || (body !== undefined && !Buffer.isBuffer(body))) throw error;
      }
  }

  #sendOnce({ method, url, headers, body, signal }: HttpRequest): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const isSecure = url.protocol === 'https:';
    const options = { method, headers: { 'user-agent': 'dabba', ...headers }, signal };
    const sent = isSecure
      ? httpsRequest(url, { ...options, agent: this.#secureAgent })
      : httpRequest(url, { ...options, agent: this.#agent });
    const slow = setTimeout(() => sent.destroy(new Error(`no connection within ${connectMs / 1000} s`)), connectMs);
    const connected = () => clearTimeout(slow);
    sent.on('socket', (socket) => {
      if (!socket.connecting) connected();
      else socket.once(isSecure ? 'secureConnect' : 'connect', connected);
    });
    sent.setTimeout(silenceMs, () => sent.destroy(new Error(`silent for ${silenceMs / 1000} s`)));
    sent.once('response', resolve);
    sent.on('error', (error) => {
      connected();
      if (signal.aborted) {
        reject(new DabbaError('Cancelled', `${method} ${url.href} was cancelled`, { cause: error }));
        return;
      }
      const isStale = sent.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(systemCode(error) ?? '');
      const cause = isStale ? new StaleConnection(messageOf(error), { cause: error }) : error;
      reject(new RegistryUnreachable(`${method} ${url.origin}${url.pathname}: ${messageOf(error)}`, { cause }));
    });
    // An answer may come before the body is all sent; its fate is told by the request's own events.
    if (body === undefined || Buffer.isBuffer(body)) sent.end(body);
    else pipeline(body, sent, () => undefined);
    return promise;
  }

  /** Closes the kept connections. */
  [Symbol.dispose](): void {
    this.#agent.destroy();
    this.#secureAgent.destroy();
  }
}

/** The body of an answer, refused when larger than `limitBytes`. */
export async function readBody(response: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      const bytes = chunk as Buffer; // no encoding is set
      size += bytes.length;
      if (size > limitBytes) throw new DabbaError('ResourceExhausted', `answer is larger than ${limitBytes} bytes`);
      chunks.push(bytes);
    }
  } catch (error) {
    if (error instanceof DabbaError) throw error;
    throw new RegistryUnreachable(`the answer broke off: ${messageOf(error)}`, { cause: error });
  }
  return Buffer.concat(chunks);
}
