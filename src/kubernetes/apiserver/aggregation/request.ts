import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect } from 'node:tls';
import type { DialService } from '../../admission/webhooks/call.ts';
import type { UserInfo } from '../../auth/user.ts';
import type { APIService } from '../../types.ts';
import { framing, type PassedHeaders } from '../passed-headers.ts';
import type { FrontProxy } from './front-proxy.ts';

export interface RemoteRequest {
  readonly spec: NonNullable<APIService['spec']>;
  readonly method: string;
  readonly path: string;
  /** Such as may go on (`passedOn`). */
  readonly headers: PassedHeaders;
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
export async function requestRemote(
  parts: RemoteParts,
  { spec, method, path, headers, user, body, signal }: RemoteRequest,
): Promise<IncomingMessage> {
  const wire = await dialRemote(parts, spec, signal);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const all = { ...headers, ...(body && framing(headers)), host: hostOf(spec), ...identityHeaders(user) };
    // The connection's end is that of the request's answer.
    const forwarded = request({ method, path, headers: all, createConnection: () => wire.on('error', reject), signal });
    forwarded.on('response', resolve).on('error', reject);
    // What the answer says counts, not whether the body was read to its end.
    if (body) void pipeline(body, forwarded).catch(reject);
    else forwarded.end();
    return await promise;
  } catch (error) {
    wire.destroy();
    throw error;
  }
}

/** A connection to that server, under the cluster's front-proxy certificate. Throws as `requestRemote`. */
export async function dialRemote(
  { dialService, frontProxy: { certificatePem: cert, keyPem: key } }: RemoteParts,
  spec: RemoteRequest['spec'],
  signal: AbortSignal,
): Promise<Duplex> {
  const { namespace = '', name = '', port = 443 } = spec.service!;
  const socket = await dialService({ namespace, name, port }, signal);
  const ca = spec.caBundle ? Buffer.from(spec.caBundle, 'base64').toString() : undefined;
  const rejectUnauthorized = spec.insecureSkipTLSVerify !== true;
  const wire = connect({ socket, servername: hostOf(spec), cert, key, rejectUnauthorized, ...(ca && { ca }) });
  wire.on('close', () => socket.destroy());
  try {
    await once(wire, 'secureConnect', { signal });
    return wire;
  } catch (error) {
    wire.destroy();
    throw error;
  }
}

export function hostOf({ service }: RemoteRequest['spec']): string {
  return `${service!.name}.${service!.namespace}.svc`;
}

/** Who asks, as the other server is told. Throws nothing: what no header may hold is refused when it is written. */
export function identityHeaders({ username, uid, groups, extra = {} }: UserInfo): {
  readonly [name: string]: string | readonly string[];
} {
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
