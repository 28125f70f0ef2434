import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { connect } from 'node:tls';
import type { Readable } from 'node:stream';
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

/** Passes a request on to the server behind an APIService. Throws `StatusError` `ServiceUnavailable`, or what the connection did. */
export async function requestRemote(
  { dialService, frontProxy }: { readonly dialService: DialService; readonly frontProxy: FrontProxy },
  { spec, method, path, headers, user, body, signal }: RemoteRequest,
): Promise<IncomingMessage> {
  const { namespace = '', name = '', port = 443 } = spec.service!;
  const wire = await dialService({ namespace, name, port }, signal);
  const host = `${name}.${namespace}.svc`;
  const ca = spec.caBundle ? Buffer.from(spec.caBundle, 'base64').toString() : undefined;
  const { certificatePem: cert, keyPem: key } = frontProxy;
  const secured = connect({
    socket: wire,
    servername: host,
    cert,
    key,
    rejectUnauthorized: spec.insecureSkipTLSVerify !== true,
    ...(ca !== undefined && { ca }),
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // Its end is that of the request's answer.
  secured.on('error', reject);
  const forwarded = httpsRequest({
    method,
    path,
    host,
    headers: { ...withoutIdentity(headers), host, ...identity(user) },
    createConnection: () => secured,
    signal,
  });
  forwarded.on('response', resolve).on('error', reject);
  // What the answer says counts, not whether the body was read to its end.
  if (body) void pipeline(body, forwarded).catch(reject);
  else forwarded.end();
  return promise;
}

/** Headers that end here: who asks is ours to say. */
const ended = /^(?:authorization|host|connection|keep-alive|transfer-encoding|upgrade|impersonate-.*|x-remote-.*)$/;

function withoutIdentity(headers: RemoteRequest['headers']): { [name: string]: string | string[] } {
  const kept = Object.entries(headers).filter(([name]) => !ended.test(name.toLowerCase()));
  return Object.fromEntries(kept.map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]));
}

function identity({ username, uid, groups, extra = {} }: UserInfo): { [name: string]: string | string[] } {
  return {
    'X-Remote-User': username,
    ...(uid && { 'X-Remote-Uid': uid }),
    ...(groups.length > 0 && { 'X-Remote-Group': [...groups] }),
    ...Object.fromEntries(
      Object.entries(extra).map(([name, values]) => [`X-Remote-Extra-${encodeURIComponent(name)}`, [...values]]),
    ),
  };
}
