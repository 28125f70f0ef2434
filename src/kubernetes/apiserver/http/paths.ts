/** The paths that are no resources: discovery, health, versions, keys. */
import type { ApiParts } from '../parts.ts';
import { serveDiscovery } from './discovery/serve.ts';
import { type Exchange, parameter } from './exchange.ts';
import { serveMetrics } from './metrics.ts';
import { serveOpenApi } from './openapi.ts';
import { notAllowed, notFoundPath } from './refusals.ts';
import { sendBytes, sendObject } from './respond.ts';
import { gitVersion } from './version.ts';

const version = {
  major: '1',
  minor: '34',
  gitVersion,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2025-11-12T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

/** The checks that `?verbose` names. */
const checks = ['ping', 'log', 'store', 'poststarthook/rbac/bootstrap-roles', 'poststarthook/crd-informer-synced'];

export async function servePath(parts: ApiParts, exchange: Exchange): Promise<void> {
  const { pathname } = exchange.url;
  if (exchange.request.method !== 'GET' && exchange.request.method !== 'HEAD') throw notAllowed();
  if (/^\/apis?(\/|$)/.test(pathname)) return serveDiscovery(parts, exchange);
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(pathname)) return serveHealth(parts, exchange);
  if (pathname.startsWith('/openapi/v')) return serveOpenApi(parts, exchange);
  switch (pathname.replace(/\/$/, '')) {
    case '/version':
      return sendObject(exchange, version);
    case '/metrics':
      return serveMetrics(parts, exchange);
    case '/.well-known/openid-configuration':
      return sendObject(exchange, parts.tokens.configuration());
    case '/openid/v1/jwks':
      return sendBytes(exchange, Buffer.from(JSON.stringify(parts.tokens.keySet())), {
        contentType: 'application/jwk-set+json',
      });
    case '':
      return sendObject(exchange, { paths: rootPaths(parts) });
    default:
      throw notFoundPath();
  }
}

function rootPaths({ catalog }: ApiParts): readonly string[] {
  const groups = catalog
    .groupVersions()
    .map((apiVersion) => (apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`));
  const others = [
    '/.well-known/openid-configuration',
    '/api',
    '/apis',
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/openid/v1/jwks',
    '/readyz',
    '/version',
  ];
  return [...groups, ...others].toSorted();
}

/** A read of the store is the one check that can fail. */
async function serveHealth({ store, prefix }: ApiParts, exchange: Exchange): Promise<void> {
  const [endpoint = '', ...rest] = exchange.url.pathname.split('/').filter(Boolean);
  const asked = rest.join('/');
  if (asked && !checks.includes(asked)) throw notFoundPath();
  const failed = await store.get(`${prefix}health`).then(
    () => undefined,
    () => 'store',
  );
  const lines = checks.map((check) => (check === failed ? `[-]${check} failed: reason withheld` : `[+]${check} ok`));
  const isVerbose = exchange.url.searchParams.has('verbose') || parameter(exchange, 'verbose') !== undefined;
  const verdict = failed ? `${endpoint} check failed` : `${endpoint} check passed`;
  const text = isVerbose || failed ? `${lines.join('\n')}\n${verdict}\n` : 'ok';
  sendBytes(exchange, Buffer.from(text), { code: failed ? 500 : 200, contentType: 'text/plain; charset=utf-8' });
}
