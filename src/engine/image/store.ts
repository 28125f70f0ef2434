import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DabbaError, type Digest, hexOf, systemCode } from '#base';
import { replaceFile } from '../durable.ts';
import type { Descriptor } from './manifest.ts';
import { formatReference, repositoryOf, tryParseReference } from './reference.ts';

/** What is recorded of an image; its config and manifest are blobs. */
export interface ImageRecord {
  /** `repository@digest` under which it was pulled or pushed. */
  readonly repoDigests: readonly string[];
  /** The manifest it came with, kept so that it is pushed under the same digest. */
  readonly manifest?: Descriptor;
  /** When it was last pulled, made, loaded or tagged. */
  readonly taggedAt?: number;
}

/** Everything we remember of images. Never changed in place. */
export interface ImageIndex {
  readonly images: { readonly [id: string]: ImageRecord };
  /** Image ID by normalised reference. */
  readonly references: { readonly [reference: string]: Digest };
  /** The blob of a layer as registries have it, by diff ID. A layer made here has none until it is pushed. */
  readonly layers: { readonly [diffId: string]: Descriptor };
}

const empty: ImageIndex = { images: {}, references: {}, layers: {} };

/** The index of images: one JSON file, replaced as a whole, because it is small and must never disagree with itself. */
export class ImageStore {
  readonly #path: string;
  #index: ImageIndex = empty;
  /** The references of each image, in order; made when first asked for after a change, for every start asks. */
  #references: ReadonlyMap<Digest, readonly string[]> | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async start(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    try {
      this.#index = { ...empty, ...(JSON.parse(await readFile(this.#path, 'utf8')) as ImageIndex) }; // our own file
    } catch (error) {
      if (systemCode(error) !== 'ENOENT')
        throw new DabbaError('DataLoss', `${this.#path} cannot be read`, { cause: error });
    }
  }

  get index(): ImageIndex {
    return this.#index;
  }

  /** Replaces the index by what `change` makes of it; changes take turns. Resolves when durable. */
  update(change: (index: ImageIndex) => ImageIndex): Promise<void> {
    const done = this.#writing.then(async () => {
      const changed = change(this.#index);
      if (changed === this.#index) return;
      await replaceFile(this.#path, JSON.stringify(changed));
      this.#index = changed;
      this.#references = undefined;
    });
    this.#writing = done.catch(() => undefined); // the caller is told; the next change must not be
    return done;
  }

  /** Image ID of a reference, an ID, or a prefix of one that fits a single image. */
  find(nameOrId: string): Digest | undefined {
    if (Object.hasOwn(this.#index.images, nameOrId)) return nameOrId as Digest; // a key of `images` is a digest
    return this.#byReference(nameOrId) ?? this.#byPrefix(nameOrId);
  }

  referencesOf(id: Digest): readonly string[] {
    this.#references ??= referencesById(this.#index);
    return this.#references.get(id) ?? [];
  }

  #byReference(name: string): Digest | undefined {
    const reference = tryParseReference(name);
    if (!reference) return undefined;
    const tagged = this.#index.references[formatReference(reference)];
    if (tagged || reference.digest === undefined) return tagged;
    const wanted = `${repositoryOf(reference)}@${reference.digest}`;
    return this.#ids().find((id) => this.#index.images[id]?.repoDigests.includes(wanted));
  }

  #byPrefix(text: string): Digest | undefined {
    const prefix = text.replace(/^sha256:/, '');
    if (!/^[0-9a-f]{1,64}$/.test(prefix)) return undefined;
    const found = this.#ids().filter((id) => hexOf(id).startsWith(prefix));
    return found.length === 1 ? found[0] : undefined;
  }

  #ids(): readonly Digest[] {
    return Object.keys(this.#index.images) as Digest[]; // keys of `images` are digests
  }
}

function referencesById({ references }: ImageIndex): ReadonlyMap<Digest, readonly string[]> {
  const byId = new Map<Digest, string[]>();
  for (const reference of Object.keys(references).sort()) {
    const id = references[reference]!;
    const known = byId.get(id);
    if (known) known.push(reference);
    else byId.set(id, [reference]);
  }
  return byId;
}

/** Points references at an image that is recorded, or will be by the same change. */
export function withImage(
  index: ImageIndex,
  id: Digest,
  image: {
    readonly references: readonly string[];
    readonly repoDigests?: readonly string[];
    readonly manifest?: Descriptor;
    readonly taggedAt?: number;
  },
): ImageIndex {
  const known = index.images[id];
  const manifest = image.manifest ?? known?.manifest;
  const taggedAt = image.taggedAt ?? known?.taggedAt;
  const record: ImageRecord = {
    repoDigests: [...new Set([...(known?.repoDigests ?? []), ...(image.repoDigests ?? [])])],
    ...(manifest && { manifest }),
    ...(taggedAt !== undefined && { taggedAt }),
  };
  const references = Object.fromEntries(image.references.map((reference) => [reference, id]));
  return { ...index, images: { ...index.images, [id]: record }, references: { ...index.references, ...references } };
}
