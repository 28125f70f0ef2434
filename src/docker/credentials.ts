import type { IncomingMessage } from 'node:http';
import type { RegistryCredentials } from '#engine';
import { parseJson } from './exchange.ts';
import { Fields } from './fields.ts';

/** The credentials a client sent for one registry (`X-Registry-Auth`), if any. */
export function registryAuth(request: IncomingMessage): { readonly credentials?: RegistryCredentials } {
  const header = request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return {};
  const credentials = credentialsOf(decode(header, 'X-Registry-Auth'));
  return credentials ? { credentials } : {};
}

/** The credentials a client sent for all registries it knows (`X-Registry-Config`), by host. */
export function registryConfig(request: IncomingMessage): { readonly [host: string]: RegistryCredentials } {
  const header = request.headers['x-registry-config'];
  if (typeof header !== 'string' || header === '') return {};
  const fields = decode(header, 'X-Registry-Config');
  const entries = fields.keys().flatMap((server) => {
    const credentials = credentialsOf(fields.object(server));
    return credentials ? [[registryHostOf(server), credentials] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** The host by which references name a registry, from what clients call a server address. */
export function registryHostOf(serverAddress: string): string {
  const host = serverAddress.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '');
  return ['', 'index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}

function decode(header: string, name: string): Fields {
  // Clients differ in which base64 alphabet they use; Node reads both.
  return new Fields(parseJson(Buffer.from(header, 'base64').toString(), name), name);
}

function credentialsOf(fields: Fields): RegistryCredentials | undefined {
  const encoded = fields.word('auth');
  const [user = '', ...rest] = encoded === undefined ? [] : Buffer.from(encoded, 'base64').toString().split(':');
  const username = fields.word('username') ?? user;
  const password = fields.word('password') ?? rest.join(':');
  return username === '' && password === '' ? undefined : { username, password };
}
