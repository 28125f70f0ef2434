import { DabbaError } from '#base';
import type { Platform, RemoteImage, TransferOptions } from '../engine.ts';
import type { RegistryResolver } from '../ports.ts';
import { decodeConfig } from './config.ts';
import { type Index, type Manifest, mediaType, parseManifest } from './manifest.ts';
import { inDockersWords } from './pull.ts';
import { type ImageReference, manifestNameOf } from './reference.ts';
import type { RepositoryClient } from './registry-client.ts';
import { atFirstEndpoint } from './registry-endpoints.ts';
import type { RegistryHttp } from './registry-http.ts';

const configLimitBytes = 8 * 1024 ** 2;

/** What a registry has under a reference, and for which platforms. */
export async function lookUpImage(
  parts: { readonly http: RegistryHttp; readonly resolver: RegistryResolver },
  reference: ImageReference,
  { credentials, signal }: Pick<TransferOptions, 'credentials' | 'signal'>,
): Promise<RemoteImage> {
  try {
    return await atFirstEndpoint(reference, { ...parts, credentials, access: 'pull' }, async (client) => {
      const { bytes, digest, contentType } = await client.manifest(manifestNameOf(reference), signal);
      const document = parseManifest(bytes, contentType);
      const type = document.kind === 'manifest' ? document.mediaType : (contentType ?? mediaType.ociIndex);
      return {
        mediaType: type,
        digest,
        sizeBytes: bytes.length,
        platforms: await platformsOf(client, document, signal),
      };
    });
  } catch (error) {
    throw inDockersWords(error, reference);
  }
}

async function platformsOf(
  client: RepositoryClient,
  document: Manifest | Index,
  signal: AbortSignal,
): Promise<readonly Platform[]> {
  if (document.kind === 'index')
    return document.manifests.flatMap(({ platform }) => (platform && platform.os !== 'unknown' ? [platform] : []));
  const { digest, size } = document.config;
  if (size > configLimitBytes) throw new DabbaError('InvalidArgument', `config ${digest} has ${size} bytes`);
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of await client.blob(digest, 0, signal)) {
    total += chunk.length;
    if (total > size) throw new DabbaError('InvalidArgument', `config ${digest} is larger than its descriptor says`);
    chunks.push(chunk);
  }
  const config = decodeConfig(Buffer.concat(chunks));
  if (config.id !== digest) throw new DabbaError('DataLoss', `config ${digest} came with other bytes`);
  return [{ os: config.os, architecture: config.architecture }];
}
