import { getBuiltinModule } from 'node:process';

/**
 * Importing `node:http` reads all its members, and three of them load a second HTTP client whole (undici, for `WebSocket` and its events): 15 MB of
 * memory in every process for what nobody here asks of it. This hides them. To be called before `node:http` is imported by anybody, so from a module
 * that imports what does only afterwards. `fetch` is as it was, and loads that client when it is first called.
 */
export function slimHttp(): void {
  const http = getBuiltinModule('node:http');
  for (const name of ['WebSocket', 'CloseEvent', 'MessageEvent'])
    Object.defineProperty(http, name, { value: undefined, enumerable: true, configurable: true });
}
