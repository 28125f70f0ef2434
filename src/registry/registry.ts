import type { IncomingMessage, ServerResponse } from 'node:http';
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
  /** The challenge for 401 answers. */
  challenge(host: string): string;
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
  readonly artifactType?: string;
  readonly subject?: Digest;
  readonly pushedAt: number;
  readonly lastPulledAt?: number;
  readonly tags: readonly string[];
}

export interface RegistryContent {
  createRepository(repository: RepositoryName): Promise<void>;
  /** Removes it with all manifests, tags and links. Throws `FailedPrecondition` when it holds images, unless `force`. */
  deleteRepository(repository: RepositoryName, options: { readonly force: boolean }): Promise<void>;
  listManifests(repository: RepositoryName): Promise<readonly ManifestRecord[]>;
  /** By tag or digest. */
  findManifest(repository: RepositoryName, reference: string): Promise<ManifestRecord | undefined>;
  manifestBytes(repository: RepositoryName, digest: Digest): Promise<Buffer>;
  /** Stores a manifest whose blobs are all there; `tag` may be absent. Throws `FailedPrecondition` naming a missing blob. */
  putManifest(
    repository: RepositoryName,
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string; readonly tag?: string },
  ): Promise<ManifestRecord>;
  deleteManifest(repository: RepositoryName, digest: Digest): Promise<void>;
  deleteTag(repository: RepositoryName, tag: string): Promise<void>;
  hasBlob(repository: RepositoryName, digest: Digest): Promise<{ readonly sizeBytes: number } | undefined>;
}
