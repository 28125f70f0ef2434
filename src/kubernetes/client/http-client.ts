/** The adapter of `ApiClient` over HTTPS: for kubelets and proxies, which live in another process. */
import { apiVersionOf, type KubernetesObject, type ObjectName, type ResourceType } from '../object.ts';
import { statusErrorOf } from '../status.ts';
import type { DeleteOptions, Status } from '../types.ts';
import type {
  ApiClient,
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectList,
  Patch,
  SubresourceOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client.ts';
import { type HttpClientOptions, HttpTransport } from './http-transport.ts';

export type { HttpClientOptions } from './http-transport.ts';

const patchTypes: { readonly [Kind in Patch['kind']]: string } = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** Only `Unavailable` (`DabbaError`) is thrown beside `StatusError`: no answer came, and the call may have happened. */
export class HttpClient implements ApiClient {
  readonly #transport: HttpTransport;
  readonly #fieldManager: string;

  constructor(options: HttpClientOptions) {
    this.#transport = new HttpTransport(options);
    this.#fieldManager = options.fieldManager;
  }

  get<T extends KubernetesObject>(type: ResourceType<T>, name: ObjectName, options: GetOptions = {}): Promise<T> {
    const { subresource, signal } = options;
    return this.#transport.call({ method: 'GET', path: pathOf(type, name, { subresource }), signal });
  }

  async list<T extends KubernetesObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { namespace, signal, limit, ...rest } = options;
    const query = { ...rest, ...(limit !== undefined && { limit: String(limit) }) };
    const path = pathOf(type, { namespace, name: '' }, { query });
    const { items, metadata } = await this.#transport.call<WireList<T>>({ method: 'GET', path, signal });
    return {
      items: items ?? [],
      resourceVersion: metadata.resourceVersion,
      ...(metadata.continue && { continue: metadata.continue }),
    };
  }

  async *watch<T extends KubernetesObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const { namespace, signal, resourceVersion, ...rest } = options;
    const from = resourceVersion ?? (await this.list(type, { ...options, limit: 1 })).resourceVersion;
    const query = { ...rest, watch: 'true', allowWatchBookmarks: 'true', resourceVersion: from };
    const path = pathOf(type, { namespace, name: '' }, { query });
    for await (const line of this.#transport.lines({ method: 'GET', path, signal })) {
      const event = JSON.parse(line) as WatchEvent<T> | { readonly type: 'ERROR'; readonly object: Status };
      if (event.type === 'ERROR') throw statusErrorOf(event.object.code ?? 500, event.object);
      yield event;
    }
  }

  create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const namespace = object.metadata?.namespace;
    const path = pathOf(type, { namespace, name: '' }, { query: this.#writeQuery(options) });
    return this.#transport.call({ method: 'POST', path, body: json(withType(object, type)), signal: options.signal });
  }

  update<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: SubresourceOptions = {}): Promise<T> {
    const { namespace, name = '' } = object.metadata ?? {};
    const { subresource, signal } = options;
    const path = pathOf(type, { namespace, name }, { subresource, query: this.#writeQuery(options) });
    const body = subresource === 'scale' ? object : withType(object, type);
    return this.#transport.call({ method: 'PUT', path, body: json(body), signal });
  }

  patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    name: ObjectName,
    patch: Patch,
    options: SubresourceOptions = {},
  ): Promise<T> {
    const { subresource, signal } = options;
    const query = { ...this.#writeQuery(options), ...(options.isForced && { force: 'true' }) };
    const path = pathOf(type, name, { subresource, query });
    const body = { type: patchTypes[patch.kind], text: JSON.stringify(patch.body) };
    return this.#transport.call({ method: 'PATCH', path, body, signal });
  }

  async delete(type: ResourceType, name: ObjectName, options: DeleteOptions & CallOptions = {}): Promise<void> {
    const { signal, ...rest } = options;
    const body = json({ ...rest, kind: 'DeleteOptions', apiVersion: 'v1' });
    await this.#transport.call({ method: 'DELETE', path: pathOf(type, name), body, signal });
  }

  post<Answer extends KubernetesObject>(
    type: ResourceType,
    name: ObjectName,
    subresource: string,
    body: KubernetesObject,
    options: CallOptions = {},
  ): Promise<Answer> {
    const path = pathOf(type, name, { subresource });
    return this.#transport.call({ method: 'POST', path, body: json(body), signal: options.signal });
  }

  /** Lets go of idle connections. */
  close(): void {
    this.#transport.close();
  }

  #writeQuery({ fieldManager = this.#fieldManager, isDryRun }: WriteOptions): Query {
    return { fieldManager, ...(isDryRun && { dryRun: 'All' }) };
  }
}

interface WireList<T> {
  readonly items: readonly T[] | null;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

interface Query {
  readonly [name: string]: string | undefined;
}

function pathOf(
  type: ResourceType,
  { namespace, name }: Partial<ObjectName>,
  { subresource, query = {} }: { readonly subresource?: string | undefined; readonly query?: Query } = {},
): string {
  const segments = [
    type.group ? 'apis' : 'api',
    ...apiVersionOf(type).split('/'),
    ...(namespace && type.isNamespaced ? ['namespaces', namespace] : []),
    type.resource,
    ...(name ? [name] : []),
    ...(subresource ? [subresource] : []),
  ];
  const set = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const search = set.length ? `?${new URLSearchParams(set)}` : '';
  return `/${segments.map(encodeURIComponent).join('/')}${search}`;
}

function json(body: object): { readonly type: string; readonly text: string } {
  return { type: 'application/json', text: JSON.stringify(body) };
}

function withType<T extends KubernetesObject>(object: T, type: ResourceType<T>): T {
  return { ...object, kind: type.kind, apiVersion: apiVersionOf(type) };
}
