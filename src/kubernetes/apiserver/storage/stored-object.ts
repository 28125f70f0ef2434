import { apiVersionOf, type GroupVersionKind, type KubernetesObject } from '../../object.ts';
import { freeze } from '../draft.ts';

/**
 * One object as it stood at one revision. It is stored as JSON that begins with kind, apiVersion and metadata, without a resource version, because the store gives that; so
 * the bytes that clients are sent are the stored ones with the version spliced in, and nothing is parsed on the way. Object, labels and other forms are made when first asked for.
 */
export class StoredObject<T extends KubernetesObject = KubernetesObject> {
  /** `namespace/name`, or `name`. */
  readonly path: string;
  readonly revision: number;
  /** JSON with `metadata.resourceVersion`, in the version of the resource that is stored. */
  readonly bytes: Buffer;
  #object: T | undefined;
  /** By version of the resource, weakly: those of a custom resource are replaced whenever its definition changes, while the object may stay as it is. */
  #forms: WeakMap<object, Buffer> | undefined;
  #converted: WeakMap<object, KubernetesObject> | undefined;
  /** In protobuf, by the name of a version. Only built-in resources have it, and few versions. */
  #messages: Map<string, Buffer> | undefined;

  constructor(path: string, revision: number, bytes: Buffer, object?: T) {
    this.path = path;
    this.revision = revision;
    this.bytes = bytes;
    this.#object = object;
  }

  /** Deeply frozen, and the same object every time. */
  get object(): T {
    // What lies under a resource's prefix was written by `encodeStored` from an object of that resource.
    return (this.#object ??= freeze(JSON.parse(this.bytes.toString()) as T));
  }

  get labels(): Readonly<Record<string, string>> {
    return this.object.metadata?.labels ?? {};
  }

  /** JSON in another version, made once for all who ask. */
  form(version: object, make: () => Buffer): Buffer {
    return kept((this.#forms ??= new WeakMap()), version, make);
  }

  /** The protobuf message of a version, made once for all who ask. */
  message(version: string, make: () => Buffer): Buffer {
    return kept((this.#messages ??= new Map()), version, make);
  }

  /** The object in another version, if it has been noted. */
  converted(version: object): KubernetesObject | undefined {
    return this.#converted?.get(version);
  }

  noteConverted(version: object, object: KubernetesObject): void {
    (this.#converted ??= new WeakMap()).set(version, freeze(object));
  }

  /** The same content under a later revision: what a deletion tells. */
  at(revision: number, codec: StoredCodec): StoredObject<T> {
    return new StoredObject(this.path, revision, codec.withRevision(codec.withoutRevision(this.bytes), revision));
  }
}

function kept<Key>(
  forms: { get(key: Key): Buffer | undefined; set(key: Key, bytes: Buffer): unknown },
  key: Key,
  make: () => Buffer,
): Buffer {
  let bytes = forms.get(key);
  if (!bytes) forms.set(key, (bytes = make()));
  return bytes;
}

const metadataMember = '"metadata":{';

/** Writes and reads the stored bytes of one resource. */
export class StoredCodec {
  /** `{"kind":"Pod","apiVersion":"v1","metadata":{`: how every stored object of the resource begins. */
  readonly #head: Buffer;
  readonly #kind: string;
  readonly #apiVersion: string;

  constructor(type: GroupVersionKind) {
    this.#kind = type.kind;
    this.#apiVersion = apiVersionOf(type);
    this.#head = Buffer.from(
      `{"kind":${JSON.stringify(this.#kind)},"apiVersion":${JSON.stringify(this.#apiVersion)},"metadata":{`,
    );
  }

  encode(object: KubernetesObject): Buffer {
    const { kind: _kind, apiVersion: _apiVersion, metadata = {}, ...rest } = object;
    const { resourceVersion: _version, ...meta } = metadata;
    return Buffer.from(JSON.stringify({ kind: this.#kind, apiVersion: this.#apiVersion, metadata: meta, ...rest }));
  }

  withRevision(stored: Uint8Array, revision: number): Buffer {
    const head = this.#headOf(stored);
    const version = `"resourceVersion":"${revision}",`;
    const out = Buffer.allocUnsafe(stored.length + version.length);
    out.set(stored.subarray(0, head), 0);
    out.write(version, head, 'latin1');
    out.set(stored.subarray(head), head + version.length);
    return out;
  }

  /** Undoes `withRevision`. */
  withoutRevision(bytes: Buffer): Buffer {
    const head = this.#headOf(bytes);
    return Buffer.concat([bytes.subarray(0, head), bytes.subarray(bytes.indexOf(',', head) + 1)]);
  }

  /** How long the beginning is, up to the first member of metadata. What was stored in another version of a custom resource begins otherwise. */
  #headOf(stored: Uint8Array): number {
    if (this.#head.equals(stored.subarray(0, this.#head.length))) return this.#head.length;
    const at = Buffer.from(stored.buffer, stored.byteOffset, stored.length).indexOf(metadataMember);
    return at + metadataMember.length;
  }

  read<T extends KubernetesObject>(path: string, stored: Uint8Array, revision: number): StoredObject<T> {
    return new StoredObject(path, revision, this.withRevision(stored, revision));
  }
}
