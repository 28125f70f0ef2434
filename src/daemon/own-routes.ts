import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAccountId, messageOf, type AccountId, type Logger } from '#base';
import type { Cloud } from './cloud.ts';
import type { Layout, Settings } from './settings.ts';
import { callSocket } from './socket-api.ts';

export interface OwnParts {
  readonly layout: Layout;
  readonly settings: Settings;
  readonly cloud: Cloud;
  readonly logger: Logger;
}

/** `GET /_dabba/health`, and `POST /_dabba/reset[?account=ID]` where it was asked for: what test suites need of the public port. */
export function ownRoutes(parts: OwnParts): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://dabba');
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    };
    try {
      if (pathname === '/_dabba/health' && request.method === 'GET') return answer(200, { status: 'running' });
      if (pathname !== '/_dabba/reset') return answer(404, { message: `there is no ${request.method} ${pathname}` });
      if (request.method !== 'POST') return answer(405, { message: 'reset with POST' });
      const refusal = refusalOf(parts.settings, request);
      if (refusal) return answer(403, { message: refusal });
      const account = searchParams.get('account');
      if (account !== null && !isAccountId(account))
        return answer(400, { message: `"${account}" is not a 12-digit account id` });
      await reset(parts, account ?? undefined);
      return answer(200, {});
    } catch (error) {
      parts.logger.error('own route failed', { path: pathname, error: messageOf(error) });
      return answer(500, { message: messageOf(error) });
    }
  };
}

/**
 * Why this request may not reset, if it may not. A web page open in a browser on this machine could send a plain POST, so what carries an
 * Origin is turned away.
 */
function refusalOf(settings: Settings, request: IncomingMessage): string | undefined {
  if (!settings.allowReset) return 'reset is offered only when dabba was started with --allow-reset';
  if (!request.socket.remoteAddress?.startsWith('127.')) return 'reset is offered on loopback alone';
  if (request.headers.origin !== undefined) return 'reset is not offered to web pages';
  return undefined;
}

/** Forgets one account, or everything but the base images of the gallery; node workers stop what lost its record. */
async function reset({ layout, cloud, logger }: OwnParts, account: AccountId | undefined): Promise<void> {
  await cloud.forget(account);
  if (account === undefined) await callSocket(layout.hostSocket, 'POST /reset');
  logger.info('reset', { account: account ?? 'all' });
}
