import type { ImageFailure, ImageFailureCode, ImageIdentifier } from '@aws-sdk/client-ecr';
import { isDigest } from '#base';
import type { ManifestRecord, RegistryContent, RepositoryName } from '#registry';
import { invalidParameter } from './validation.ts';

export interface FoundImage {
  readonly image: ManifestRecord;
}

export interface MissedImage {
  readonly failure: ImageFailure;
}

/** Looks an image up as batch operations do: what is wrong with an identifier is a failure of that entry, not of the call. */
export async function findImage(
  content: RegistryContent,
  repository: RepositoryName,
  id: ImageIdentifier,
): Promise<FoundImage | MissedImage> {
  const { imageDigest: digest, imageTag: tag } = id;
  if (digest === undefined && tag === undefined)
    return missed(id, 'MissingDigestAndTag', 'Invalid request parameters: both tag and digest cannot be null');
  if (digest !== undefined && !isDigest(digest))
    return missed(id, 'InvalidImageDigest', 'Invalid request parameters: image digest should satisfy the regex');
  const found = await content.findManifest(repository, tag ?? digest ?? '');
  if (!found) return missed(id, 'ImageNotFound', 'Requested image not found');
  if (digest !== undefined && found.digest !== digest)
    return missed(id, 'ImageTagDoesNotMatchDigest', 'Requested image tag does not match its digest');
  return { image: found };
}

function missed(...failure: Parameters<typeof imageFailure>): MissedImage {
  return { failure: imageFailure(...failure) };
}

export function imageFailure(
  imageId: ImageIdentifier,
  failureCode: ImageFailureCode,
  failureReason: string,
): ImageFailure {
  return { imageId, failureCode, failureReason };
}

/** Throws `InvalidParameterException` for an identifier that names nothing. */
export function checkImageId({ imageDigest, imageTag }: ImageIdentifier): void {
  if (imageDigest === undefined && imageTag === undefined)
    throw invalidParameter('imageIds', 'an image has a tag or a digest');
  if (imageDigest !== undefined && !isDigest(imageDigest))
    throw invalidParameter('imageIds', `'${imageDigest}' is not a digest`);
}

/** An identifier as ECR's messages show it. */
export function describeId({ imageDigest, imageTag }: ImageIdentifier): string {
  return `{imageDigest:'${imageDigest ?? 'null'}', imageTag:'${imageTag ?? 'null'}'}`;
}
