import { isAbsolute } from 'node:path';
import { DabbaError } from '#base';
import type { BuildRequest } from '#engine';
import type { Api } from './api.ts';
import { readRunOptions } from './build-run-options.ts';
import { registryConfig } from './credentials.ts';
import { parseJson, queryFlag, type Exchange } from './exchange.ts';
import { Fields } from './fields.ts';

/** A build as asked for in query and headers. */
export interface ReadBuildRequest {
  readonly request: BuildRequest;
  /** Sent by `dabba build`. */
  readonly extras: boolean;
  /** The files are wanted, not an image. */
  readonly isTar: boolean;
}

/** Header with what the classic endpoint cannot carry: base64 of `{"secrets": {id: base64}, "ssh": {id: path}}`. Never logged, never kept. */
export const extrasHeader = 'x-dabba-build';

/** Throws `InvalidArgument`, and `Unimplemented` for options that would change the result and are not here. */
export function readBuildRequest(api: Api, exchange: Exchange): ReadBuildRequest {
  const { query, request, signal } = exchange;
  refuseMissing(api, exchange);
  const extras = readExtras(exchange);
  const built: BuildRequest = {
    context: request,
    dockerfile: query.get('dockerfile') || 'Dockerfile',
    references: query.getAll('t').filter(Boolean),
    buildArgs: textMap(exchange, 'buildargs'),
    labels: textMap(exchange, 'labels'),
    isCacheDisabled: queryFlag(exchange, 'nocache'),
    cacheSources: cacheSources(exchange),
    runOptions: {
      ...readRunOptions(exchange, api.info.cpus),
      ...(api.idMapping && { namespaces: { user: api.idMapping } }),
    },
    isPulledAlways: queryFlag(exchange, 'pull'),
    isSquashed: queryFlag(exchange, 'squash'),
    credentials: registryConfig(request),
    signal,
    ...given('target', query.get('target')),
    ...given('networkMode', query.get('networkmode')),
    ...extras,
  };
  return { request: built, extras: extras !== undefined, isTar: readOutputs(exchange) };
}

function readExtras({ request }: Exchange): Pick<BuildRequest, 'secrets' | 'sshAgents'> | undefined {
  const header = request.headers[extrasHeader];
  if (typeof header !== 'string') return undefined;
  // Not parsed by parseJson: a message must not quote what may be a secret.
  let fields: Fields;
  try {
    fields = new Fields(JSON.parse(Buffer.from(header, 'base64').toString()), extrasHeader);
  } catch {
    throw new DabbaError('InvalidArgument', `the header ${extrasHeader} is not base64 of a JSON object`);
  }
  const secrets = Object.entries(fields.textMap('secrets') ?? {}).map(([id, value]) => [
    id,
    Buffer.from(value, 'base64'),
  ]);
  const sshAgents = fields.textMap('ssh') ?? {};
  for (const [id, path] of Object.entries(sshAgents))
    if (!isAbsolute(path))
      throw new DabbaError('InvalidArgument', `SSH agent ${id}: "${path}" is not the absolute path of a socket`);
  return { secrets: Object.fromEntries(secrets) as { readonly [id: string]: Buffer }, sshAgents }; // pairs of id and bytes, as made above
}

/** True if the files are wanted. `local` is the client's to unpack: `dabba build` asks for a tar then. */
function readOutputs({ query }: Exchange): boolean {
  const outputs = parseJson(query.get('outputs') ?? '', 'outputs');
  if (outputs === undefined || outputs === null) return false;
  const list = new Fields({ outputs }).objects('outputs');
  if (list.length === 0) return false;
  const type = list[0]!.word('Type') ?? '';
  if (list.length > 1)
    throw new DabbaError('Unimplemented', `outputs: ${list.length} at once are not supported, only one`);
  if (type === 'tar') return true;
  if (type === 'image' || type === 'docker') return false;
  throw new DabbaError(
    'Unimplemented',
    `outputs: type "${type}" is not supported here; use type=tar, or dabba build --output type=local,dest=DIR`,
  );
}

/** What would change the result and is not here is refused, not passed over. */
function refuseMissing({ info }: Api, { query }: Exchange): void {
  if (query.get('version') === '2')
    throw new DabbaError('Unimplemented', 'BuildKit is not supported: set DOCKER_BUILDKIT=0, or use dabba build');
  const remote = query.get('remote') ?? '';
  if (remote !== '')
    throw new DabbaError('Unimplemented', `build option remote=${remote} is not supported: send the context`);
  const platform = query.get('platform') ?? '';
  if (platform !== '' && platform !== `linux/${info.architecture}`)
    throw new DabbaError(
      'Unimplemented',
      `platform "${platform}" cannot be built: this machine is linux/${info.architecture} and nothing is emulated`,
    );
}

/**
 * Images as the classic client names them, or as BuildKit's does (`type=registry,ref=IMAGE`), which the classic one cuts at the commas.
 * Other kinds of caches are refused.
 */
function cacheSources({ query }: Exchange): readonly string[] {
  const list = new Fields({ cachefrom: parseJson(query.get('cachefrom') ?? '', 'cachefrom') }).texts('cachefrom') ?? [];
  return list
    .flatMap((text) => text.split(','))
    .flatMap((text) => {
      const [name, ...value] = text.split('=');
      if (value.length === 0) return [text];
      if (name === 'type' && value[0] !== 'registry')
        throw new DabbaError('Unimplemented', `cachefrom ${text}: only an image can be a source of the cache`);
      return name === 'ref' ? [value.join('=')] : [];
    })
    .filter(Boolean);
}

/** A map in the query. A build argument of null takes its value from a client's environment that has none: it is as if not given. */
function textMap({ query }: Exchange, name: string): { readonly [key: string]: string } {
  const fields = new Fields(parseJson(query.get(name) ?? '', name), name);
  return Object.fromEntries(
    fields.keys().flatMap((key) => {
      const value = fields.text(key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

const given = <Name extends string>(name: Name, value: string | null) =>
  (value ? { [name]: value } : {}) as { readonly [key in Name]?: string }; // the key is Name itself
