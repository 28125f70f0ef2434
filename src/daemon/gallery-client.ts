import type { ImageConfig } from '#engine';
import type { Layout } from './settings.ts';
import { callSocket } from './socket-api.ts';

/** A base image to publish as `public.ecr.aws/docker/library/<name>`. */
export interface BaseImage {
  readonly name: string;
  readonly tags: readonly string[];
  /** `name:tag` of a published image whose layers come beneath. */
  readonly base?: string;
  readonly config: ImageConfig;
  readonly comment: string;
}

/** Publishes one layer, an uncompressed tar, as a base image in the local public gallery. Needs a running control plane. */
export async function publishBaseImage(
  layout: Layout,
  image: BaseImage,
  layer: AsyncIterable<Uint8Array>,
): Promise<{ readonly digest: string }> {
  const query = new URLSearchParams({ image: JSON.stringify(image) });
  const answer = await callSocket(layout.controlSocket, `POST /gallery?${query}`, { body: layer });
  return answer as { digest: string }; // what gallery.ts answers
}

/** Names of the base images that the gallery has. */
export async function publishedBaseImages(layout: Layout): Promise<readonly string[]> {
  return (await callSocket(layout.controlSocket, 'GET /gallery')) as string[]; // what gallery.ts answers
}
