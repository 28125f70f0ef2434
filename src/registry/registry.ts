import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { BlobInfo, Upload, WriteOptions } from '#blob';
import type { Digest } from '#base';

/**
 * The OCI distribution protocol (`/v2/`) over `blob/` and `store/`. It knows nothing of AWS: whose registry a host name means, who may do
 * what, and what happens after a push are asked of its `RegistryPolicy`.
 *
 * **Vocabulary.** A *registry* is one account's in one region (`<tenant>/<region>`), or the public gallery (`public`); a *repository* lives in
 * one. A blob belongs to a repository by a *link*. **Guarantees** G1–G5 of the design: what was answered 201 is durable and reads back.
 */
export interface RegistryServer {
  /** Serves one request whose path is `/v2/` or below. Never rejects; errors are answered in OCI's form. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** The same operations for the rooms above, e.g. ECR's JSON API and `images seed`. */
  readonly content: RegistryContent;
}

/** Names a repository everywhere: `registry` is `<tenant>/<region>` or `public`. */
export interface RepositoryName {
  readonly registry: string;
  readonly name: string;
}

export type RegistryAction = 'pull' | 'push' | 'delete';

export interface RegistryPolicy {
  /** The registry and repository that a request means, from its Host header and the name in its path. Undefined: 404 NAME_UNKNOWN. */
  resolve(host: string, name: string): RepositoryName | undefined;
  /** Who is calling; undefined for anonymous. Throws `Unauthenticated` on bad credentials. `authorization` is the raw header. */
  authenticate(authorization: string | undefined, host: string): Promise<RegistryCaller | undefined>;
  /** The challenge for 401 answers; undefined for a host that welcomes anonymous callers. */
  challenge(host: string): string | undefined;
  /** Throws `Unauthenticated` (anonymous and must log in) or `PermissionDenied`. `operation` is the fine-grained one, e.g. `blob-upload`. */
  authorize(
    caller: RegistryCaller | undefined,
    repository: RepositoryName,
    operation: RegistryOperation,
  ): Promise<void>;
  /** Throws (`NotFound`) unless the repository exists; may create it (create on push). */
  requireRepository(repository: RepositoryName, action: RegistryAction): Promise<void>;
  /** Throws `Conflict` when the tag may not be moved (immutable tags). Called before a manifest is put under a tag that points elsewhere. */
  checkTagChange(repository: RepositoryName, tag: string): Promise<void>;
  /** After an operation was done, for audit, metrics and events. */
  observed(event: RegistryEvent): void;
}

export interface RegistryCaller {
  /** Opaque here; the policy's own. */
  readonly principal: unknown;
}

export type RegistryOperation =
  | 'blob-head'
  | 'blob-get'
  | 'blob-upload-start'
  | 'blob-upload-part'
  | 'blob-upload-complete'
  | 'blob-delete'
  | 'manifest-head'
  | 'manifest-get'
  | 'manifest-put'
  | 'manifest-delete'
  | 'tags-list'
  | 'referrers-list';

export interface RegistryEvent {
  readonly repository: RepositoryName;
  readonly operation: RegistryOperation;
  readonly caller: RegistryCaller | undefined;
  readonly digest?: Digest;
  readonly tag?: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly errorCode?: string;
}

/** A manifest as stored. */
export interface ManifestRecord {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Sum of the layers and config it names, for images. */
  readonly contentSizeBytes: number;
  /** What the manifest says it is, else its config's media type. */
  readonly artifactType?: string;
  readonly subject?: Digest;
  /** The manifests that an index names. */
  readonly manifests: readonly Digest[];
  /** The config and layers that an image names, without those that stay elsewhere. */
  readonly blobs: readonly Digest[];
  readonly pushedAt: number;
  readonly lastPulledAt?: number;
  readonly tags: readonly string[];
}

/**
 * What registries hold, without asking anybody's permission. Errors, all `DabbaError`: `NotFound` for an absent repository, manifest, tag or
 * upload; `InvalidArgument` for a manifest or digest that is none. Those that OCI has a code for are `RegistryError`s.
 */
export interface RegistryContent {
  /** Makes the repository; one that exists stays as it is. */
  createRepository(repository: RepositoryName): Promise<void>;
  /** Removes it with all manifests, tags and links; removing an absent one succeeds. Throws `FailedPrecondition` when it holds images, unless `force`. */
  deleteRepository(repository: RepositoryName, options: { readonly force: boolean }): Promise<void>;
  /** Names of the registry's repositories, in order. */
  listRepositories(registry: string): Promise<readonly string[]>;
  hasRepository(repository: RepositoryName): Promise<boolean>;
  /** In digest order. */
  listManifests(repository: RepositoryName): Promise<readonly ManifestRecord[]>;
  /** By tag or digest. */
  findManifest(repository: RepositoryName, reference: string): Promise<ManifestRecord | undefined>;
  manifestBytes(repository: RepositoryName, digest: Digest): Promise<Buffer>;
  /**
   * Stores a manifest whose blobs are all there, under a tag if one is given, in one transaction. Throws `FailedPrecondition`, a
   * `RegistryError` whose `missing` names what is not there.
   */
  putManifest(repository: RepositoryName, manifest: NewManifest): Promise<ManifestRecord>;
  /**
   * Removes the manifest and every tag of it. Throws `NotFound`, and a `RegistryError` with `parents` while an index names it: such an
   * index never loses what it names, whenever it was put.
   */
  deleteManifest(repository: RepositoryName, digest: Digest): Promise<void>;
  /** Removes the tag and leaves its manifest. Throws `NotFound`. */
  deleteTag(repository: RepositoryName, tag: string): Promise<void>;
  /** Every tag, in order. */
  listTags(repository: RepositoryName): Promise<readonly string[]>;
  /** Descriptors of the manifests whose subject is `subject`, which need not exist. */
  listReferrers(repository: RepositoryName, subject: Digest): Promise<readonly ReferrerDescriptor[]>;
  /** Notes that the manifest was pulled; exact to the hour. */
  recordPull(repository: RepositoryName, digest: Digest): Promise<void>;

  /** The blob's size if it is linked to the repository, and not merely in the store. */
  hasBlob(repository: RepositoryName, digest: Digest): Promise<{ readonly sizeBytes: number } | undefined>;
  /** The same, and keeps it at least a day from now: for a push that asks before it names the blob in a manifest. */
  keepBlob(repository: RepositoryName, digest: Digest): Promise<{ readonly sizeBytes: number } | undefined>;
  /** The bytes of a linked blob. */
  readBlob(
    repository: RepositoryName,
    digest: Digest,
    range?: { readonly start: number; readonly length?: number },
  ): Promise<Readable>;
  /** Stores a blob and links it. Resolves when both are durable. */
  putBlob(repository: RepositoryName, source: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<BlobInfo>;
  /** Links a blob of another repository; false if that has none. Whether the caller may see it is the caller's question. */
  mountBlob(repository: RepositoryName, digest: Digest, from: RepositoryName): Promise<boolean>;
  /** Takes the link away. Throws `NotFound`. */
  unlinkBlob(repository: RepositoryName, digest: Digest): Promise<void>;
  /** An upload that belongs to the repository and ends as a linked blob. Forgotten after a day. */
  startUpload(repository: RepositoryName): Promise<Upload>;
  /** An upload begun earlier in this repository. Throws `NotFound`. Its `commit` also links the blob. */
  resumeUpload(repository: RepositoryName, id: string): Promise<Upload>;

  /**
   * Frees what nobody needs: links to blobs that no manifest names, once no push is to be waited for, and bytes that no repository reaches.
   * Calls take turns; may run beside anything. Pushes are safe from it if they go through the same `RegistryContent`.
   */
  collectGarbage(): Promise<Collected>;
}

/** What a collection has done. */
export interface Collected {
  readonly unlinked: number;
  readonly removedBlobs: number;
  readonly freedBytes: number;
}

export interface NewManifest {
  readonly bytes: Uint8Array;
  /** What the sender calls it; must agree with the document's own `mediaType`. */
  readonly mediaType?: string;
  /** What the bytes must hash to; `InvalidArgument` otherwise. Default: their sha256. */
  readonly digest?: Digest;
  readonly tag?: string;
  /** Further tags. */
  readonly tags?: readonly string[];
  /**
   * Asked, before the transaction, for each tag that points elsewhere; throws to refuse. The transaction compares the tags it asked about, so
   * that a tag moved meanwhile is asked about again.
   */
  readonly checkTagChange?: (tag: string) => Promise<void>;
}

/** An entry of the referrers list (OCI distribution specification, "Listing Referrers"). */
export interface ReferrerDescriptor {
  readonly mediaType: string;
  readonly size: number;
  readonly digest: Digest;
  readonly artifactType?: string;
  readonly annotations?: { readonly [name: string]: string };
}
