import type { Digest } from '#base';
import type { ImageConfig, LayerProgress } from './engine.ts';

/** As OCI names them: `linux`, `arm64`, `v8`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface ImportOptions {
  readonly reference?: string;
  readonly config?: Partial<ImageConfig>;
  /** Dockerfile instructions applied to the config, as for `CommitRequest`. */
  readonly changes?: readonly string[];
  readonly comment?: string;
  readonly signal: AbortSignal;
}

export interface LoadOptions {
  readonly signal: AbortSignal;
  /** Called as each layer that was not here is unpacked. */
  readonly onProgress?: (progress: LayerProgress) => void;
}

export interface LoadedImage {
  readonly id: Digest;
  /** Names the archive gave it, normalised; they point here now. */
  readonly references: readonly string[];
}

/** What a registry has under a reference. */
export interface RemoteImage {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly platforms: readonly Platform[];
}
