import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { connect } from 'node:tls';
import type { Duplex, Readable } from 'node:stream';
import type { DialService } from '../../admission/webhooks/call.ts';
import type { UserInfo } from '../../auth/user.ts';
import type { APIService } from '../../types.ts';
import type { FrontProxy } from './front-proxy.ts';

export interface RemoteRequest {
  readonly spec: NonNullable<APIService['spec']>;
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string | readonly string[] };
  /** For whom: the other server believes it. */
  readonly user: UserInfo;
  readonly body?: Readable;
  readonly signal: AbortSignal;
}

interface RemoteParts {
  readonly dialService: DialService;
  readonly frontProxy: FrontProxy;
}

/** Passes a request on to the server behind an APIService. Throws `StatusError` `ServiceUnavailable`, or what the connection did. */
export async function requestRemote(parts: RemoteParts, asked: RemoteRequest): Promise<IncomingMessage> {
  const { namespace = '', name = '', port = 443 } = asked.spec.service!;
  const wire = await parts.dialService({ namespace, name, port }, asked.signal);
  try {
    return await send(wire, parts.frontProxy, asked);
  } catch (error) {
    wire.destroy();
    throw error;
  }
}

async function send(
  wire: Duplex,
  { certificatePem: cert, keyPem: key }: FrontProxy,
  { spec, method, path, headers, user, body, signal }: RemoteRequest,
): Promise<IncomingMessage> {
  const host = `${spec.service!.name}.${spec.service!.namespace}.svc`;
  const ca = spec.caBundle ? Buffer.from(spec.caBundle, 'base64').toString() : undefined;
  const rejectUnauthorized = spec.insecureSkipTLSVerify !== true;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const forwarded = httpsRequest({
    method,
    path,
    host,
    headers: { ...withoutIdentity(headers), ...(body && framing(headers)), host, ...identity(user) },
    createConnection: () =>
      // Its end is that of the request's answer.
      connect({ socket: wire, servername: host, cert, key, rejectUnauthorized, ...(ca !== undefined && { ca }) }).on(
        'error',
        reject,
      ),
    signal,
  });
  forwarded.on('response', resolve).on('error', reject);
  // What the answer says counts, not whether the body was read to its end.
  if (body) void pipeline(body, forwarded).catch(reject);
  else forwarded.end();
  return promise;
}

/**
 * How a body's end is told where the client did not say its length. Without it Node writes the bodies of some methods (DELETE, GET) bare behind the headers, where the other end
 * reads them as a request of their own.
 */
export function framing(headers: { readonly [name: string]: unknown }): { readonly [name: string]: string } {
  return headers['content-length'] === undefined ? { 'transfer-encoding': 'chunked' } : {};
}

/** Headers that end here: who asks is ours to say. */
const ended =
  /^(?:authorization|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|impersonate-.*|proxy-.*|x-remote-.*)$/;

function withoutIdentity(headers: RemoteRequest['headers']): { [name: string]: string | string[] } {
  const kept = Object.entries(headers).filter(([name]) => !ended.test(name.toLowerCase()));
  return Object.fromEntries(kept.map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]));
}

function identity({ username, uid, groups, extra = {} }: UserInfo): { [name: string]: string | string[] } {
  return {
    'X-Remote-User': inHeader(username),
    ...(uid && { 'X-Remote-Uid': inHeader(uid) }),
    ...(groups.length > 0 && { 'X-Remote-Group': groups.map(inHeader) }),
    ...Object.fromEntries(
      Object.entries(extra).map(([name, values]) => [
        `X-Remote-Extra-${encodeURIComponent(name)}`,
        values.map(inHeader),
      ]),
    ),
  };
}

/** Names are read as UTF-8, byte by byte; Node would write a letter as one byte, or not at all. */
function inHeader(text: string): string {
  return Buffer.from(text).toString('latin1');
}
