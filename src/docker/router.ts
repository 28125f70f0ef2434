import { DabbaError } from '#base';
import type { Api } from './api.ts';
import type { Exchange } from './exchange.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
export type Handler = (api: Api, exchange: Exchange) => Promise<void> | void;

/**
 * One operation of the published API: its method, its path (`/containers/{id}/json`; `{name…}` takes slashes too, as image names have them),
 * and what answers it. Without a handler it is known, and not here yet.
 */
export type Route = readonly [method: Method, path: string, handler?: Handler];

export const apiVersion = { newest: 51, oldest: 41 } as const;

export interface Match {
  readonly route: Route;
  readonly params: { readonly [name: string]: string };
  readonly minorVersion: number;
}

/** Makes the function that finds the operation of a request. */
export function createRouter(routes: readonly Route[]): (method: string, path: string) => Match {
  const compiled = routes.map((route) => ({ route, method: route[0], expression: compile(route[1]) }));
  return (method, path) => {
    const { rest, minorVersion } = cutVersion(path);
    for (const { route, method: accepted, expression } of compiled) {
      if (accepted !== method) continue;
      const match = expression.exec(rest);
      if (match) return { route, minorVersion, params: decodeAll(match.groups ?? {}) };
    }
    throw new DabbaError('NotFound', 'page not found');
  };
}

function cutVersion(path: string): { readonly rest: string; readonly minorVersion: number } {
  const match = /^\/v(\d+)\.(\d+)(\/.*)$/.exec(path);
  if (!match) return { rest: path, minorVersion: apiVersion.newest };
  const version = `${match[1]}.${match[2]}`;
  const minorVersion = Number(match[2]);
  if (match[1] !== '1' || minorVersion > apiVersion.newest)
    throw new DabbaError(
      'InvalidArgument',
      `client version ${version} is too new. Maximum supported API version is 1.${apiVersion.newest}`,
    );
  if (minorVersion < apiVersion.oldest)
    throw new DabbaError(
      'InvalidArgument',
      `client version ${version} is too old. Minimum supported API version is 1.${apiVersion.oldest}, please upgrade your client to a newer version`,
    );
  return { rest: match[3]!, minorVersion };
}

function compile(path: string): RegExp {
  const source = path
    .split(/(\{\w+…?\})/)
    .map((part) => {
      const name = /^\{(\w+)(…?)\}$/.exec(part);
      return name ? `(?<${name[1]}>${name[2] === '' ? '[^/]+' : '.+'})` : RegExp.escape(part);
    })
    .join('');
  return new RegExp(`^${source}$`);
}

function decodeAll(groups: { readonly [name: string]: string }): { readonly [name: string]: string } {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decode(value)]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new DabbaError('InvalidArgument', `"${text}" is not a well-formed path`, { cause: error });
  }
}
