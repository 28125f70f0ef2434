import { isDabbaError, isDigest } from '#base';
import type { Layer, LayerFailure } from '@aws-sdk/client-ecr';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { openRepository, type Target } from './operation.ts';
import { repositoryArn, type EcrState } from './repository.ts';
import { basicAuthorization } from './tokens.ts';
import { batch, invalidParameter } from './validation.ts';

type EcrHandlers = Handlers<typeof import('@aws-sdk/client-ecr')>;

const PART_BYTES = 20 << 20;
const URL_LIFE_MS = 60 * 60 * 1000;

/** Operations on layers: the distribution protocol's blob uploads and downloads in ECR's words. */
export function layerHandlers(state: EcrState) {
  const { content, tokens, clock } = state;

  /** The upload, its absence said ECR's way. */
  async function openUpload({ repository, names }: Target, uploadId: string | undefined) {
    try {
      return await content.resumeUpload(repository, uploadId ?? '');
    } catch (error) {
      if (!isDabbaError(error, 'NotFound')) throw error;
      throw new AwsError(
        'UploadNotFoundException',
        `The upload with id '${uploadId}' does not exist in the repository with name '${names.repositoryName}' in the registry with id '${names.registryId}'`,
      );
    }
  }

  return {
    async BatchCheckLayerAvailability(input, context) {
      const { repository } = await openRepository(state, 'BatchCheckLayerAvailability', input, context);
      const layers: Layer[] = [];
      const failures: LayerFailure[] = [];
      for (const layerDigest of batch('layerDigests', input.layerDigests)) {
        if (!isDigest(layerDigest)) {
          const failureReason = 'The layer digest is not valid';
          failures.push({ layerDigest, failureCode: 'InvalidLayerDigest', failureReason });
          continue;
        }
        const found = await content.keepBlob(repository, layerDigest);
        layers.push({
          layerDigest,
          layerAvailability: found ? 'AVAILABLE' : 'UNAVAILABLE',
          ...(found && { layerSize: found.sizeBytes }),
        });
      }
      return { layers, failures };
    },

    async InitiateLayerUpload(input, context) {
      const { repository } = await openRepository(state, 'InitiateLayerUpload', input, context);
      const { id } = await content.startUpload(repository);
      return { uploadId: id, partSize: PART_BYTES };
    },

    async UploadLayerPart(input, context) {
      const target = await openRepository(state, 'UploadLayerPart', input, context);
      const upload = await openUpload(target, input.uploadId);
      const { partFirstByte: first, partLastByte: last, layerPartBlob: part } = input;
      if (!part || part.length > PART_BYTES)
        throw invalidParameter('layerPartBlob', `Member must have length less than or equal to ${PART_BYTES}`);
      if (first !== upload.sizeBytes || last !== upload.sizeBytes + part.length - 1)
        throw new AwsError(
          'InvalidLayerPartException',
          `The part must begin at byte ${upload.sizeBytes} of the layer`,
          {
            members: { ...target.names, uploadId: upload.id, lastValidByteReceived: upload.sizeBytes - 1 },
          },
        );
      await upload.append(oneChunk(part));
      return { ...target.names, uploadId: upload.id, lastByteReceived: upload.sizeBytes - 1 };
    },

    async CompleteLayerUpload(input, context) {
      const target = await openRepository(state, 'CompleteLayerUpload', input, context);
      const upload = await openUpload(target, input.uploadId);
      const [digest] = batch('layerDigests', input.layerDigests);
      if (digest === undefined || !isDigest(digest))
        throw new AwsError('InvalidLayerException', `'${digest}' is no layer digest`);
      if (upload.sizeBytes === 0)
        throw new AwsError('EmptyUploadException', 'The specified layer upload does not contain any layer parts');
      if (await content.keepBlob(target.repository, digest)) {
        await upload.cancel();
        throw new AwsError(
          'LayerAlreadyExistsException',
          `The layer with digest '${digest}' already exists in the repository`,
        );
      }
      try {
        await upload.commit(digest);
      } catch (error) {
        if (!isDabbaError(error, 'InvalidArgument')) throw error;
        throw new AwsError('InvalidLayerException', `The layer does not match its digest: ${error.message}`);
      }
      return { ...target.names, uploadId: upload.id, layerDigest: digest };
    },

    /** The URL carries its own right to this one download for an hour. */
    async GetDownloadUrlForLayer(input, context) {
      const { repository, names } = await openRepository(state, 'GetDownloadUrlForLayer', input, context);
      const { layerDigest } = input;
      if (layerDigest === undefined || !isDigest(layerDigest))
        throw invalidParameter('layerDigest', 'must be a digest');
      if (!(await content.hasBlob(repository, layerDigest)))
        throw new AwsError(
          'LayersNotFoundException',
          `The layer with digest '${layerDigest}' does not exist in the repository with name '${names.repositoryName}' in the registry with id '${names.registryId}'`,
        );
      const { token } = await tokens.issue({
        principal: context.principal,
        only: { repositoryArn: repositoryArn(repository), operation: 'blob-get' },
        expiresAt: clock.now() + URL_LIFE_MS,
      });
      const url = new URL(`/v2/${repository.registry}/${repository.name}/blobs/${layerDigest}`, context.endpoint);
      url.searchParams.set('authorization', basicAuthorization(token));
      return { downloadUrl: url.href, layerDigest };
    },
  } satisfies EcrHandlers;
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
