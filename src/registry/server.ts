import type { IncomingMessage } from 'node:http';
import { isDigest, type Logger } from '#base';
import { answerOf, RegistryError } from './errors.ts';
import { replyEmpty, replyJson, type Exchange, type Noted } from './exchange.ts';
import { parseName } from './names.ts';
import type {
  RegistryAction,
  RegistryContent,
  RegistryOperation,
  RegistryPolicy,
  RegistryServer,
  RepositoryName,
} from './registry.ts';
import { operationOf, routeOf, type Route } from './route.ts';
import { serveBlob } from './serve-blobs.ts';
import { serveReferrers, serveTags } from './serve-lists.ts';
import { serveManifest } from './serve-manifests.ts';
import { serveUpload, startUpload } from './serve-uploads.ts';

export interface RegistryOptions {
  readonly content: RegistryContent;
  readonly policy: RegistryPolicy;
  readonly logger: Logger;
}

/** The OCI distribution protocol over the registries' content, under a policy. */
export function createRegistry({ content, policy, logger }: RegistryOptions): RegistryServer {
  return {
    content,
    async handle(request, response) {
      const call: Call = { request, response, host: request.headers.host ?? '', content, policy, logger };
      try {
        await dispatch(call);
      } catch (error) {
        replyError(call, error);
      }
    },
  };
}

type Call = Pick<Exchange, 'request' | 'response' | 'host' | 'content' | 'policy' | 'logger'>;

/** Names the steps of every request: where to, who, may they, is it there, do it, note it. */
async function dispatch(call: Call): Promise<void> {
  const { request, response, host, policy } = call;
  const { path, query } = targetOf(request);
  const route = routeOf(path);
  if (!route) throw new RegistryError('NAME_UNKNOWN', `"${path}" is no path of the distribution protocol`);
  response.setHeader('docker-distribution-api-version', 'registry/2.0');
  const caller = await policy.authenticate(authorizationOf(request, route, query), host);
  if (route.kind === 'base') return greet(call, caller !== undefined);
  const operation = operationOf(route, request.method ?? '');
  if (!operation) throw new RegistryError('UNSUPPORTED', `${request.method} is not supported on "${path}"`);
  const repository = policy.resolve(host, parseName(route.name));
  if (!repository) throw new RegistryError('NAME_UNKNOWN', `no registry here has the name "${host}"`);
  const noted: Noted = {};
  const exchange: Exchange = {
    ...call,
    query,
    caller,
    name: route.name,
    repository,
    note: (facts) => void Object.assign(noted, facts),
  };
  try {
    await policy.authorize(caller, repository, operation);
    await policy.requireRepository(repository, actionOf(operation));
    await serve(exchange, route);
    observe(exchange, operation, noted);
  } catch (error) {
    const { code } = answerOf(error);
    // The first request of every client comes without credentials, to learn the challenge.
    if (code !== 'UNAUTHORIZED') observe(exchange, operation, noted, code);
    throw error;
  }
}

function targetOf(request: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  try {
    return { path: decodeURIComponent(mark < 0 ? target : target.slice(0, mark)), query };
  } catch (error) {
    if (error instanceof URIError) throw new RegistryError('NAME_INVALID', 'the path is not properly encoded');
    throw error;
  }
}

/** A blob's URL may carry its credentials in the query parameter `authorization`, so that it can be handed out by itself. */
function authorizationOf(request: IncomingMessage, route: Route, query: URLSearchParams): string | undefined {
  const inQuery = route.kind === 'blob' && request.method === 'GET' ? query.get('authorization') : null;
  return request.headers.authorization ?? inQuery ?? undefined;
}

/** `GET /v2/`: tells clients that this is a registry, and whether they must log in. */
function greet({ request, response, host, policy }: Call, isKnown: boolean): void {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw new RegistryError('UNSUPPORTED', `${request.method} is not supported on "/v2/"`);
  if (!isKnown && policy.challenge(host) !== undefined) throw new RegistryError('UNAUTHORIZED', 'Not Authorized');
  replyJson(response, {});
}

function actionOf(operation: RegistryOperation): RegistryAction {
  switch (operation) {
    case 'blob-upload-start':
    case 'blob-upload-part':
    case 'blob-upload-complete':
    case 'manifest-put':
      return 'push';
    case 'blob-delete':
    case 'manifest-delete':
      return 'delete';
    default:
      return 'pull';
  }
}

async function serve(exchange: Exchange, route: Exclude<Route, { readonly kind: 'base' }>): Promise<void> {
  switch (route.kind) {
    case 'blob':
      return await serveBlob(exchange, route.digest);
    case 'uploads':
      return await startUpload(exchange);
    case 'upload':
      return await serveUpload(exchange, route.id);
    case 'manifest':
      return await serveManifest(exchange, route.reference);
    case 'tags':
      return await serveTags(exchange);
    case 'referrers':
      return await serveReferrers(exchange, route.digest);
  }
}

function observe(
  { policy, request, repository, caller }: Exchange & { readonly repository: RepositoryName },
  operation: RegistryOperation,
  { digest, tag }: Noted,
  errorCode?: string,
): void {
  policy.observed({
    repository,
    operation,
    caller,
    sourceIp: request.socket.remoteAddress ?? '',
    userAgent: request.headers['user-agent'] ?? '',
    ...(digest !== undefined && isDigest(digest) && { digest }),
    ...(tag !== undefined && { tag }),
    ...(errorCode !== undefined && { errorCode }),
  });
}

function replyError({ request, response, host, policy, logger }: Call, error: unknown): void {
  // The client went away, or came to grief in the middle of a blob: there is nobody to answer.
  if (response.headersSent || (request.destroyed && !request.complete)) return void response.destroy();
  const { status, code, message } = answerOf(error);
  if (status >= 500)
    logger.error('a registry request failed', { path: request.url?.split('?')[0], code, cause: detailOf(error) });
  const challenge = code === 'UNAUTHORIZED' ? policy.challenge(host) : undefined;
  const body = { errors: [{ code, message }] };
  if (request.method === 'HEAD')
    return replyEmpty(response, status, challenge ? { 'www-authenticate': challenge } : {});
  replyJson(response, body, { status, ...(challenge && { headers: { 'www-authenticate': challenge } }) });
}

function detailOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
