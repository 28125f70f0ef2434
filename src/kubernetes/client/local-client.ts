/** The adapter of `ApiClient` inside the API server's process: no sockets, no copies, and the same rights and admission as over the wire. */
import type { UserInfo } from '../auth/user.ts';
import type { ApiParts, Call, NamedCall } from '../apiserver/parts.ts';
import { attributesOf } from '../apiserver/operations/authorize.ts';
import { create } from '../apiserver/operations/create.ts';
import { remove } from '../apiserver/operations/delete.ts';
import { bodySchema, changeOf } from '../apiserver/operations/patch.ts';
import { post } from '../apiserver/operations/post.ts';
import { convert, get, list, objectIn } from '../apiserver/operations/read.ts';
import { scaleOf } from '../apiserver/operations/scale.ts';
import { namesVersion, update } from '../apiserver/operations/update.ts';
import type { StoredObject } from '../apiserver/storage/stored-object.ts';
import { watchObjects } from '../apiserver/operations/watch-objects.ts';
import type { KubernetesObject, ObjectName, ResourceType } from '../object.ts';
import { decodeParsed } from '../schema/decode.ts';
import { StatusError } from '../status.ts';
import type { DeleteOptions } from '../types.ts';
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

export interface LocalClientOptions {
  readonly user: UserInfo;
  /** Names the writer in `managedFields`. */
  readonly fieldManager: string;
}

const neverAborted = new AbortController().signal;

/** `partsOf` is asked at each call, since the parts themselves need a client. */
export class LocalClient implements ApiClient {
  readonly #partsOf: () => ApiParts;
  readonly #options: LocalClientOptions;

  constructor(partsOf: () => ApiParts, options: LocalClientOptions) {
    this.#partsOf = partsOf;
    this.#options = options;
  }

  async get<T extends KubernetesObject>(type: ResourceType<T>, name: ObjectName, options?: GetOptions): Promise<T> {
    const call = await this.#allowed(type, 'get', { ...name, ...options });
    // A resource type carries the type of its objects.
    return this.#shown(call, await this.#read(call, await get(this.#parts, call))) as T;
  }

  async list<T extends KubernetesObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const call = await this.#allowed(type, 'list', { ...options, name: '' });
    const { objects, resourceVersion, continue: token } = await list(this.#parts, call, options);
    await convert(call.version, objects);
    const items = objects.map((stored) => objectIn(call.version, stored) as T);
    return { items, resourceVersion, ...(token !== undefined && { continue: token }) };
  }

  async *watch<T extends KubernetesObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const call = await this.#allowed(type, 'watch', { ...options, name: '' });
    const from = options.resourceVersion ?? String(this.#parts.feed.revision);
    yield* watchObjects(this.#parts, call, { ...options, resourceVersion: from }) as AsyncIterable<WatchEvent<T>>;
  }

  async create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T> {
    const namespace = object.metadata?.namespace;
    const call = await this.#allowed(type, 'create', {
      ...(namespace !== undefined && { namespace }),
      name: '',
      ...options,
    });
    return (await this.#read(call, await create(this.#parts, call, withType(object, type)))) as T;
  }

  async update<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: SubresourceOptions): Promise<T> {
    const call = await this.#allowed(type, 'update', { ...nameOf(object), ...options });
    const { strategy } = call.resource;
    const body = call.subresource === 'scale' ? object : withType(object, type);
    const { stored } = await update(this.#parts, call, {
      next: () => body,
      isPinned: namesVersion(body),
      mayCreate: strategy.isCreatedOnUpdate,
    });
    return this.#shown(call, await this.#read(call, stored)) as T;
  }

  async patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    name: ObjectName,
    patch: Patch,
    options: SubresourceOptions = {},
  ): Promise<T> {
    const call = await this.#allowed(type, 'patch', { ...name, ...options });
    const schema = bodySchema(this.#parts, call);
    const check = (outcome: unknown) =>
      schema ? decodeParsed(outcome, { schema, kind: call.version }).object : (outcome as KubernetesObject);
    const change = changeOf(this.#parts, call, patch, { isForced: options.isForced ?? false, check });
    const { stored } = await update(this.#parts, call, change);
    return this.#shown(call, await this.#read(call, stored)) as T;
  }

  async delete(type: ResourceType, name: ObjectName, options: DeleteOptions & CallOptions = {}): Promise<void> {
    const call = await this.#allowed(type, 'delete', { ...name, ...options });
    await remove(this.#parts, { ...call, isDryRun: options.dryRun?.includes('All') ?? false }, options);
  }

  async post<Answer extends KubernetesObject>(
    type: ResourceType,
    name: ObjectName,
    subresource: string,
    body: KubernetesObject,
    options?: CallOptions,
  ): Promise<Answer> {
    const call = await this.#allowed(type, 'create', { ...name, subresource, ...options });
    return (await post(this.#parts, call, body)) as Answer;
  }

  get #parts(): ApiParts {
    return this.#partsOf();
  }

  async #read({ version }: Call, stored: StoredObject): Promise<KubernetesObject> {
    await convert(version, [stored]);
    return objectIn(version, stored);
  }

  #shown(call: NamedCall, object: KubernetesObject): KubernetesObject {
    const part = call.subresource === undefined ? undefined : call.resource.subresources.get(call.subresource);
    return part?.kind === 'scale' ? scaleOf(call, part, object) : object;
  }

  /** The call, if the client's user may make it. Throws `NotFound` for a resource that is not served, `Forbidden`. */
  async #allowed(
    type: ResourceType,
    verb: string,
    options: Partial<ObjectName> & SubresourceOptions & { readonly namespace?: string | undefined },
  ): Promise<NamedCall> {
    options.signal?.throwIfAborted();
    const served = this.#parts.catalog.of(type);
    if (!served) throw new StatusError('NotFound', 'the server could not find the requested resource');
    const call: NamedCall & Call = {
      ...served,
      ...(options.namespace !== undefined && { namespace: options.namespace }),
      ...(options.subresource !== undefined && { subresource: options.subresource }),
      name: options.name ?? '',
      user: this.#options.user,
      isDryRun: options.isDryRun ?? false,
      fieldManager: options.fieldManager ?? this.#options.fieldManager,
      signal: options.signal ?? neverAborted,
      warn: () => undefined,
    };
    await this.#parts.authorization.require(attributesOf(call, verb));
    return call;
  }
}

function withType<T extends KubernetesObject>(object: T, { group, version, kind }: ResourceType<T>): T {
  return { ...object, kind, apiVersion: group ? `${group}/${version}` : version };
}

function nameOf({ metadata }: KubernetesObject): ObjectName {
  return { name: metadata?.name ?? '', ...(metadata?.namespace !== undefined && { namespace: metadata.namespace }) };
}
