import type { ImageConfig } from '#engine';

/** A base image made of this machine's own packages. */
export interface Recipe {
  readonly name: string;
  /** Tags it is published under, `latest` among them. */
  readonly tags: readonly string[];
  /** Published image (`name:tag`) whose layers come beneath. */
  readonly base?: string;
  readonly config: ImageConfig;
  /** A note of what is in it, for the image's history. */
  readonly comment: string;
  /** Writes the layer's files below `root`, an empty directory, and reports progress in words. */
  fill(root: string, report: (text: string) => void): Promise<void>;
}

export const SHELL_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
