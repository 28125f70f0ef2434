import { DabbaError } from '#base';
import type { Api } from './api.ts';
import { sendJson, type Exchange } from './exchange.ts';

/** GET /plugins: none can be installed, so there are none. */
export function listPlugins(_api: Api, exchange: Exchange): void {
  sendJson(exchange, 200, []);
}

/** GET /plugins/{name}/json. */
export function inspectPlugin(_api: Api, { params }: Exchange): never {
  throw new DabbaError('NotFound', `plugin ${JSON.stringify(params['name'])} not found`);
}
