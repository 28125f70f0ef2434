/** The way of a request through the API server: a list of steps, each a function of its own, and one place for what they throw. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { RELAY_SOURCE } from '#network';
import { impersonate } from '../../auth/impersonation.ts';
import type { Attributes } from '../../auth/user.ts';
import { StatusError } from '../../status.ts';
import { attributesOf } from '../operations/authorize.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { audit, type Received } from './audit.ts';
import { authorize } from './authorize.ts';
import { connect } from './connect.ts';
import { type Exchange, parameter } from './exchange.ts';
import { discoveredBy, passOn, remoteFor } from './pass-on.ts';
import { servePath } from './paths.ts';
import { notFoundPath } from './refusals.ts';
import { requestInfo } from './request-info.ts';
import { serveResource } from './resources.ts';
import { takeSeats } from './seats.ts';
import { sendError } from './respond.ts';

const anonymous = { username: 'system:anonymous', groups: ['system:unauthenticated'] };

export interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer };
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
}

/** Answers one request. Never throws. */
export async function handle(parts: ApiParts, arrival: Arrival): Promise<void> {
  const { request, response } = arrival;
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const received: Received = { at: parts.clock.now(), auditId: parts.random.uuid() };
  response.setHeader('audit-id', received.auditId);
  response.setHeader('cache-control', 'no-cache, private');
  const exchange = exchangeOf(parts, arrival, AbortSignal.any([gone.signal, arrival.signal]));
  parts.counts.inFlight += 1;
  try {
    exchange.user = received.caller = await authenticate(parts, exchange);
    exchange.user = await impersonate(parts.authorization, exchange.user, request.headersDistinct);
    await takeSeats(parts, exchange);
    await route(parts, exchange);
  } catch (error) {
    if (!exchange.signal.aborted || !response.headersSent) sendError(exchange, error, parts.logger);
    if (!response.writableEnded) response.destroy();
  } finally {
    exchange.leave();
    parts.counts.inFlight -= 1;
    audit(parts, exchange, received);
    const { info } = exchange;
    parts.counts.add({
      verb: info.verb,
      resource: info.kind === 'resource' ? info.resource : '',
      code: response.statusCode,
    });
  }
}

function exchangeOf({ schemas }: ApiParts, { request, response, upgrade }: Arrival, signal: AbortSignal): Exchange {
  const url = urlOf(request.url ?? '/');
  return {
    request,
    response,
    upgrade,
    url,
    info: requestInfo(request.method ?? 'GET', url),
    user: anonymous,
    warnings: new Set(),
    schemas,
    leave: () => undefined,
    signal,
  };
}

/** A request line that is no URL is a path that does not exist. */
function urlOf(target: string): URL {
  return (
    URL.parse(target.startsWith('/') ? `https://localhost${target.replace(/^\/+/, '/')}` : target) ??
    new URL('https://localhost/invalid')
  );
}

function authenticate({ authentication }: ApiParts, { request, signal }: Exchange) {
  // The listener is a TLS server.
  const socket = request.socket as TLSSocket;
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  const origin = socket.remoteAddress === RELAY_SOURCE ? 'cluster' : 'loopback';
  return authentication.authenticate({ certificate, authorization: request.headers.authorization, origin }, signal);
}

async function route(parts: ApiParts, exchange: Exchange): Promise<void> {
  const { info, user } = exchange;
  if (info.kind === 'path') {
    await authorize(parts, exchange, { kind: 'path', user, verb: info.verb, path: info.path });
    const discovered = discoveredBy(info.path);
    const remote = discovered && remoteFor(parts, discovered);
    return remote ? passOn(parts, exchange, remote) : servePath(parts, exchange);
  }
  const remote = remoteFor(parts, info.groupVersion);
  if (remote) {
    await authorize(parts, exchange, unknownAttributes(exchange));
    return passOn(parts, exchange, remote);
  }
  const served = parts.catalog.find(info.groupVersion, info.resource);
  const call = served && callOf(exchange, served);
  await authorize(
    parts,
    exchange,
    call
      ? attributesOf({ ...call, name: call.name || (info.selectedName ?? '') }, info.verb)
      : unknownAttributes(exchange),
  );
  if (!served || !call) throw notFoundPath();
  if (served.resource.type.isNamespaced && !info.namespace && !['list', 'watch', 'create'].includes(info.verb))
    throw notFoundPath();
  if (!served.resource.type.isNamespaced && info.namespace && info.resource !== 'namespaces') throw notFoundPath();
  const part = info.subresource === undefined ? undefined : served.resource.subresources.get(info.subresource);
  if (info.subresource !== undefined && !part) throw notFoundPath();
  if (part?.kind === 'connect') return connect(parts, exchange, call);
  await serveResource(parts, exchange, call);
}

function unknownAttributes({ info, user }: Exchange): Attributes {
  if (info.kind === 'path') return { kind: 'path', user, verb: info.verb, path: info.path };
  const { groupVersion, verb, resource, subresource, namespace, name } = info;
  return {
    kind: 'resource',
    user,
    verb,
    ...groupVersion,
    resource,
    ...(subresource !== undefined && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  };
}

function callOf(exchange: Exchange, served: Pick<NamedCall, 'resource' | 'version'>): NamedCall {
  const { info, user, signal, warnings, request } = exchange;
  if (info.kind === 'path') throw new Error('only a request on a resource becomes a call');
  const { namespace, name = '', subresource } = info;
  const dryRun = exchange.url.searchParams.getAll('dryRun').filter(Boolean);
  if (dryRun.some((value) => value !== 'All'))
    throw new StatusError(
      'BadRequest',
      `invalid dryRun: Unsupported value: ${JSON.stringify(dryRun)}: supported values: "All"`,
    );
  return {
    ...served,
    ...(namespace !== undefined && served.resource.type.isNamespaced && { namespace }),
    ...(subresource !== undefined && { subresource }),
    name,
    user,
    isDryRun: dryRun.length > 0,
    fieldManager: parameter(exchange, 'fieldManager') ?? managerOf(request.headers['user-agent']),
    signal,
    warn: (text) => warnings.add(text),
  };
}

/** A manager that is not named is the program, by its user agent: apiserver `endpoints/handlers/create.go`, "managerOrUserAgent". */
function managerOf(userAgent: string | undefined): string {
  return (userAgent ?? '').split('/')[0]!.slice(0, 128) || 'unknown';
}
