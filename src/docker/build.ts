import { StringDecoder } from 'node:string_decoder';
import { DabbaError } from '#base';
import type { BuildEvent } from '#engine';
import type { Api } from './api.ts';
import { registryConfig } from './credentials.ts';
import { JsonLines, parseJson, queryFlag, type Exchange } from './exchange.ts';
import { Fields } from './fields.ts';
import { familiarName } from './image-json.ts';
import { endLines } from './lines.ts';
import { shortDigest } from './progress.ts';

/** POST /build: the classic endpoint, a context tar in, JSON lines out. */
export async function buildImage(api: Api, exchange: Exchange): Promise<void> {
  const { query, request, signal } = exchange;
  refuseMissing(api, exchange);
  const lines = new JsonLines(exchange);
  const isQuiet = queryFlag(exchange, 'q');
  await endLines(lines, async () => {
    const events = api.engine.builder.build({
      context: request,
      dockerfile: query.get('dockerfile') || 'Dockerfile',
      references: query.getAll('t').filter(Boolean),
      buildArgs: textMap(exchange, 'buildargs'),
      labels: textMap(exchange, 'labels'),
      isCacheDisabled: queryFlag(exchange, 'nocache'),
      isPulledAlways: queryFlag(exchange, 'pull'),
      credentials: registryConfig(request),
      signal,
      ...given('target', query.get('target')),
      ...given('networkMode', query.get('networkmode')),
    });
    // A character may be cut in two between pieces of output.
    const decoder = new StringDecoder('utf8');
    for await (const event of events)
      for (const line of linesOf(event, isQuiet, (data) => decoder.write(data))) await lines.send(line);
  });
}

/** Options of the endpoint that are honoured nowhere yet, with the values that mean the default. */
const missingOptions: { readonly [name: string]: readonly string[] } = {
  remote: [''],
  squash: ['', '0', 'false'],
  outputs: ['', '[]', 'null'],
  extrahosts: ['', '[]', 'null'],
  memory: ['', '0'],
  memswap: ['', '0'],
  cpushares: ['', '0'],
  cpuperiod: ['', '0'],
  cpuquota: ['', '0'],
  cpusetcpus: [''],
  cpusetmems: [''],
  cgroupparent: [''],
  shmsize: ['', '0', '67108864'],
  ulimits: ['', '[]', 'null'],
};

/** What would change the result and is not here is refused, not passed over. */
function refuseMissing({ info }: Api, { query }: Exchange): void {
  if (query.get('version') === '2')
    throw new DabbaError('Unimplemented', 'BuildKit is not supported: set DOCKER_BUILDKIT=0');
  for (const [name, ordinary] of Object.entries(missingOptions)) {
    const value = query.get(name) ?? '';
    if (!ordinary.includes(value))
      throw new DabbaError('Unimplemented', `build option ${name}=${value} is not supported yet`);
  }
  const platform = query.get('platform') ?? '';
  if (platform !== '' && platform !== `linux/${info.architecture}`)
    throw new DabbaError('Unimplemented', `platform "${platform}" cannot be built on this machine`);
}

function linesOf(event: BuildEvent, isQuiet: boolean, decode: (data: Buffer) => string): readonly object[] {
  if (event.kind === 'result') return resultLines(event, isQuiet);
  if (isQuiet) return [];
  switch (event.kind) {
    case 'step':
      return [{ stream: `Step ${event.index}/${event.count} : ${event.text}` }, { stream: '\n' }];
    case 'cached':
      return [{ stream: ' ---> Using cache\n' }];
    case 'layer':
      return [{ stream: ` ---> ${shortDigest(event.id)}\n` }];
    case 'note':
      return [{ stream: ` ---> ${event.text}\n` }];
    case 'output':
    default:
      return [{ stream: decode(event.data) }];
  }
}

function resultLines(event: Extract<BuildEvent, { readonly kind: 'result' }>, isQuiet: boolean): readonly object[] {
  const aux = { aux: { ID: event.imageId } };
  if (isQuiet) return [aux, { stream: `${event.imageId}\n` }];
  return [
    aux,
    { stream: `Successfully built ${shortDigest(event.imageId)}\n` },
    ...event.references.map((reference) => ({ stream: `Successfully tagged ${familiarName(reference)}\n` })),
  ];
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
