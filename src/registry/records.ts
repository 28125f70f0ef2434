import type { Digest } from '#base';
import { Collection, type Store } from '#store';
import type { ReferrerDescriptor, RepositoryName } from './registry.ts';

/**
 * What the registry keeps in the store. Every key is `registry/<kind>/<registry>/<repository>/…`, so an account's data lies under keys
 * with the account as a whole segment. Repositories and tags are segments of their own making (`:team:app`, `:latest`): nobody's tag or
 * repository is ever mistaken for an account id, and no repository's prefix is the prefix of another's.
 *
 * Links carry the time they were made or asked for, by which the garbage collector (`collect.ts`) leaves running pushes alone.
 */
export interface RepositoryEntry {
  readonly createdAt: number;
  /** Changes with every push, so that a deletion notices one. */
  readonly pushedAt?: number;
}

/** A blob that the repository may use. */
export interface LinkEntry {
  readonly sizeBytes: number;
  /** When it was made, or last found by a push. */
  readonly linkedAt: number;
  /** When a manifest that named the blob was deleted, unless a push found the blob since. */
  readonly releasedAt?: number;
}

export interface ManifestEntry {
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly contentSizeBytes: number;
  readonly artifactType?: string;
  readonly subject?: Digest;
  readonly manifests: readonly Digest[];
  readonly blobs: readonly Digest[];
  readonly pushedAt: number;
}

export interface TagEntry {
  readonly digest: Digest;
  readonly taggedAt: number;
}

export interface UploadEntry {
  readonly startedAt: number;
}

export interface PullEntry {
  readonly pulledAt: number;
}

/** The collections; an id begins with `idOf(repository)`. */
export class Records {
  readonly repositories: Collection<RepositoryEntry>;
  readonly links: Collection<LinkEntry>;
  readonly manifests: Collection<ManifestEntry>;
  readonly tags: Collection<TagEntry>;
  /** `<digest>/<tag>`: the tags of a manifest without reading all tags. */
  readonly manifestTags: Collection<true>;
  /** `<subject>/<digest>`. */
  readonly referrers: Collection<ReferrerDescriptor>;
  readonly uploads: Collection<UploadEntry>;
  readonly pulls: Collection<PullEntry>;

  constructor(store: Store) {
    this.repositories = new Collection(store, 'registry/repositories/');
    this.links = new Collection(store, 'registry/links/');
    this.manifests = new Collection(store, 'registry/manifests/');
    this.tags = new Collection(store, 'registry/tags/');
    this.manifestTags = new Collection(store, 'registry/manifest-tags/');
    this.referrers = new Collection(store, 'registry/referrers/');
    this.uploads = new Collection(store, 'registry/uploads/');
    this.pulls = new Collection(store, 'registry/pulls/');
  }

  /** The collections whose records belong to one repository each and go with it. */
  get belongings(): readonly Collection<unknown>[] {
    return [this.links, this.manifests, this.tags, this.manifestTags, this.referrers, this.uploads, this.pulls];
  }
}

/** A repository's segment of a key: `000000000000/us-east-1/:team:app`. */
export function idOf(repository: RepositoryName): string {
  return `${repository.registry}/:${repository.name.replaceAll('/', ':')}`;
}

/** The repository's name in an id that `idOf` made. */
export function nameOfId(id: string): string {
  return id.slice(id.indexOf('/:') + 2).replaceAll(':', '/');
}

/** A record of the repository: a digest, an upload id, a pair of them. */
export function idIn(repository: RepositoryName, ...rest: readonly string[]): string {
  return [idOf(repository), ...rest].join('/');
}

/** The digest in an id of a link or a manifest that `idIn` made. */
export function digestOfId(id: string): Digest {
  return id.slice(id.lastIndexOf('/') + 1) as Digest; // nothing but a digest is written there
}

/** A tag's segment. */
export function tagSegment(tag: string): string {
  return `:${tag}`;
}

/** The tag in an id that ends in a tag's segment. */
export function tagOfId(id: string): string {
  return id.slice(id.lastIndexOf('/:') + 2);
}
