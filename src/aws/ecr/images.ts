import type { ImageDetail, ImageFailure, ImageIdentifier } from '@aws-sdk/client-ecr';
import { digestOf, isDigest } from '#base';
import { RegistryError, type ManifestRecord, type RepositoryName } from '#registry';
import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import type { Handlers } from '../service.ts';
import { checkImageId, describeId, findImage, imageFailure, type MissedImage } from './image-ids.ts';
import { openRepository, type Target } from './operation.ts';
import { isTagMutable, type EcrState } from './repository.ts';
import { batch, invalidParameter, pageLimit } from './validation.ts';

type EcrHandlers = Handlers<typeof import('@aws-sdk/client-ecr')>;

/** Operations on images. */
export function imageHandlers(state: EcrState) {
  const { content } = state;

  return {
    async DescribeImages(input, context) {
      const target = await openRepository(state, 'DescribeImages', input, context);
      if (input.imageIds) {
        if (input.nextToken !== undefined || input.maxResults !== undefined)
          throw new AwsError('InvalidParameterException', 'imageIds cannot be used with nextToken or maxResults');
        const ids = batch('imageIds', input.imageIds);
        const found = await Promise.all(ids.map(async (id) => await requireImage(state, target, id)));
        const distinct = new Map(found.map((image) => [image.digest, image]));
        return { imageDetails: [...distinct.values()].map((image) => detailOf(target, image)) };
      }
      const images = (await content.listManifests(target.repository)).filter(matching(input.filter));
      const options = { token: input.nextToken, limit: pageLimit(input.maxResults) };
      const { items, nextToken } = page(images, { ...options, key: ({ digest }) => digest });
      return { imageDetails: items.map((image) => detailOf(target, image)), nextToken };
    },

    async ListImages(input, context) {
      const { repository } = await openRepository(state, 'ListImages', input, context);
      const ids = (await content.listManifests(repository)).filter(matching(input.filter)).flatMap(idsOf);
      const options = { token: input.nextToken, limit: pageLimit(input.maxResults) };
      const { items, nextToken } = page(ids, { ...options, key: (id) => `${id.imageDigest} ${id.imageTag ?? ''}` });
      return { imageIds: items, nextToken };
    },

    async BatchGetImage(input, context) {
      const { repository, names } = await openRepository(state, 'BatchGetImage', input, context);
      const images = [];
      const failures: ImageFailure[] = [];
      for (const id of batch('imageIds', input.imageIds)) {
        const found = await findImage(content, repository, id);
        if ('failure' in found) {
          failures.push(found.failure);
          continue;
        }
        const { digest, mediaType } = found.image;
        const manifest = await content.manifestBytes(repository, digest);
        await content.recordPull(repository, digest);
        images.push({
          ...names,
          imageId: { imageDigest: digest, ...(id.imageTag !== undefined && { imageTag: id.imageTag }) },
          imageManifest: manifest.toString('utf8'),
          imageManifestMediaType: mediaType,
        });
      }
      return { images, failures };
    },

    async BatchDeleteImage(input, context) {
      const { repository } = await openRepository(state, 'BatchDeleteImage', input, context);
      const imageIds: ImageIdentifier[] = [];
      const failures: ImageFailure[] = [];
      for (const id of batch('imageIds', input.imageIds)) {
        const deleted = await deleteImage(state, repository, id);
        if ('failure' in deleted) failures.push(deleted.failure);
        else imageIds.push(...deleted.imageIds);
      }
      return { imageIds, failures };
    },

    async PutImage(input, context) {
      const target = await openRepository(state, 'PutImage', input, context);
      const { imageManifest, imageManifestMediaType: mediaType, imageTag: tag, imageDigest } = input;
      if (!imageManifest) throw invalidParameter('imageManifest', 'Member must have length greater than or equal to 1');
      if (imageDigest !== undefined && !isDigest(imageDigest))
        throw invalidParameter('imageDigest', 'must be a digest');
      const bytes = Buffer.from(imageManifest);
      const digest = imageDigest ?? digestOf(bytes);
      const before = await content.findManifest(target.repository, tag ?? digest);
      if (before?.digest === digest) throw imageAlreadyExists(target, { imageDigest: digest, imageTag: tag });
      const put = content.putManifest(target.repository, {
        bytes,
        digest,
        ...(mediaType && { mediaType }),
        ...(tag !== undefined && { tag }),
        checkTagChange: async (moved) => {
          if (!isTagMutable(target.record, moved)) throw tagAlreadyExists(target, moved);
        },
      });
      const stored = await put.catch((error: unknown) => {
        throw putFailure(target, error);
      });
      return {
        image: {
          ...target.names,
          imageId: { imageDigest: stored.digest, ...(tag !== undefined && { imageTag: tag }) },
          imageManifest,
          imageManifestMediaType: stored.mediaType,
        },
      };
    },

    async ListImageReferrers(input, context) {
      const { repository } = await openRepository(state, 'ListImageReferrers', input, context);
      const subject = input.subjectId?.imageDigest;
      if (subject === undefined || !isDigest(subject)) throw invalidParameter('subjectId', 'must be a digest');
      const types = input.filter?.artifactTypes;
      const referrers = (await content.listReferrers(repository, subject)).filter(
        ({ artifactType }) => !types?.length || (artifactType !== undefined && types.includes(artifactType)),
      );
      const options = { token: input.nextToken, limit: pageLimit(input.maxResults) };
      const { items, nextToken } = page(referrers, { ...options, key: ({ digest }) => digest });
      return { referrers: items.map((entry) => ({ ...entry, annotations: { ...entry.annotations } })), nextToken };
    },
  } satisfies EcrHandlers;
}

/**
 * Deletes one image: by tag, the tag alone while the image has others; by digest, or with its last tag, the image (API reference,
 * BatchDeleteImage). An image that an index names stays.
 */
async function deleteImage(
  { content }: EcrState,
  repository: RepositoryName,
  id: ImageIdentifier,
): Promise<MissedImage | { readonly imageIds: ImageIdentifier[] }> {
  const found = await findImage(content, repository, id);
  if ('failure' in found) return found;
  const { digest, tags } = found.image;
  if (id.imageTag !== undefined && tags.length > 1) {
    await content.deleteTag(repository, id.imageTag);
    return { imageIds: [{ imageDigest: digest, imageTag: id.imageTag }] };
  }
  try {
    await content.deleteManifest(repository, digest);
  } catch (error) {
    const parents = error instanceof RegistryError ? error.parents : undefined;
    if (!parents) throw error;
    const reason = `Requested image referenced by manifest list: [${parents.join(', ')}]`;
    return { failure: imageFailure(id, 'ImageReferencedByManifestList', reason) };
  }
  return { imageIds: idsOf(found.image) };
}

/** An image as the identifiers of its tags; an untagged one by its digest alone. */
function idsOf({ digest, tags }: ManifestRecord): ImageIdentifier[] {
  if (!tags.length) return [{ imageDigest: digest }];
  return tags.map((imageTag) => ({ imageDigest: digest, imageTag }));
}

function matching(
  filter: { readonly tagStatus?: string | undefined; readonly imageStatus?: string | undefined } | undefined,
): (image: ManifestRecord) => boolean {
  const { tagStatus = 'ANY', imageStatus = 'ACTIVE' } = filter ?? {};
  // Nothing is ever archived here.
  if (imageStatus !== 'ACTIVE' && imageStatus !== 'ANY') return () => false;
  return ({ tags }) => tagStatus === 'ANY' || tagStatus === (tags.length ? 'TAGGED' : 'UNTAGGED');
}

function detailOf({ names }: Target, image: ManifestRecord): ImageDetail {
  return {
    ...names,
    imageDigest: image.digest,
    ...(image.tags.length > 0 && { imageTags: [...image.tags] }),
    imageSizeInBytes: image.contentSizeBytes,
    imagePushedAt: new Date(image.pushedAt),
    imageManifestMediaType: image.mediaType,
    ...(image.artifactType && { artifactMediaType: image.artifactType }),
    ...(image.lastPulledAt !== undefined && { lastRecordedPullTime: new Date(image.lastPulledAt) }),
    ...(image.subject && { subjectManifestDigest: image.subject }),
    imageStatus: 'ACTIVE',
  };
}

async function requireImage(
  { content }: EcrState,
  { repository, names }: Target,
  id: ImageIdentifier,
): Promise<ManifestRecord> {
  checkImageId(id);
  const found = await findImage(content, repository, id);
  if ('image' in found) return found.image;
  throw new AwsError(
    'ImageNotFoundException',
    `The image with imageId ${describeId(id)} does not exist within the repository with name '${names.repositoryName}' in the registry with id '${names.registryId}'`,
  );
}

/** Why a put failed, in ECR's words. */
function putFailure(target: Target, error: unknown): unknown {
  if (!(error instanceof RegistryError)) return error;
  const { missing, code, kind, message } = error;
  if (missing?.blobs.length)
    return new AwsError('LayersNotFoundException', missingWords(target, 'layers', missing.blobs));
  if (missing)
    return new AwsError('ReferencedImagesNotFoundException', missingWords(target, 'images', missing.manifests));
  if (code === 'DIGEST_INVALID') return new AwsError('ImageDigestDoesNotMatchException', message);
  return kind === 'InvalidArgument' ? invalidParameter('imageManifest', message) : error;
}

function missingWords({ names }: Target, what: string, digests: readonly string[]): string {
  return `The ${what} with digests '[${digests.join(', ')}]' required for pushing image into repository with name '${names.repositoryName}' in the registry with id '${names.registryId}' do not exist`;
}

function imageAlreadyExists({ names }: Target, { imageDigest, imageTag }: ImageIdentifier): AwsError {
  return new AwsError(
    'ImageAlreadyExistsException',
    `Image with digest '${imageDigest}' and tag '${imageTag}' already exists in the repository with name '${names.repositoryName}' in registry with id '${names.registryId}'`,
  );
}

function tagAlreadyExists({ names }: Target, tag: string): AwsError {
  return new AwsError('ImageTagAlreadyExistsException', immutableTagMessage(names.repositoryName, tag));
}

/** What ECR says when a tag may not move, over its API and the distribution protocol alike. */
export function immutableTagMessage(repository: string, tag: string): string {
  return `The image tag '${tag}' already exists in the '${repository}' repository and cannot be overwritten because the repository is immutable.`;
}
