import type { IncomingMessage } from 'node:http';
import { createGzip } from 'node:zlib';
import { DabbaError, Digester, parseDigest, type Clock } from '#base';
import type { RegistryContent, RepositoryName } from '#registry';
import type { BaseImage } from './gallery-client.ts';

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** Where the gallery keeps Docker's official images, and where ours stand in for them. */
const NAMESPACE = 'docker/library/';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

interface ImageDocument {
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history?: readonly object[];
}

/** Publishes base images in the local public gallery, past its policy: this is the machine's own doing. */
export function gallery({ content, clock }: { readonly content: RegistryContent; readonly clock: Clock }) {
  const repositoryOf = (name: string): RepositoryName => ({ registry: 'public', name: NAMESPACE + name });

  /** The base's layers and history, which come beneath; for an image that stands alone, none. */
  const readBase = async (base: string | undefined) => {
    if (base === undefined) return { layers: [], diffIds: [], history: [], repository: undefined };
    const [name, tag = 'latest'] = base.split(':') as [string, string?];
    const repository = repositoryOf(name);
    const record = await content.findManifest(repository, tag);
    if (!record) throw new DabbaError('NotFound', `the gallery has no image ${base}`);
    const manifest = JSON.parse((await content.manifestBytes(repository, record.digest)).toString('utf8')) as Manifest; // what `publish` wrote
    const config = JSON.parse(
      await readText(await content.readBlob(repository, parseDigest(manifest.config.digest))),
    ) as ImageDocument; // likewise
    return { layers: manifest.layers, diffIds: config.rootfs.diff_ids, history: config.history ?? [], repository };
  };

  /** Stores the layer compressed, hashing what goes in on the way. */
  const storeLayer = async (repository: RepositoryName, tar: AsyncIterable<Uint8Array>) => {
    const digester = new Digester();
    const gzip = createGzip({ level: 6 });
    const feed = async () => {
      for await (const chunk of tar) {
        digester.update(chunk);
        if (!gzip.write(chunk)) await new Promise<void>((resolve) => void gzip.once('drain', () => resolve()));
      }
      gzip.end();
    };
    const [blob] = await Promise.all([
      content.putBlob(repository, gzip),
      feed().catch((error: unknown) => {
        gzip.destroy(error as Error);
        throw error;
      }),
    ]);
    return {
      descriptor: { mediaType: mediaTypes.layer, digest: blob.digest, size: blob.sizeBytes },
      diffId: digester.digest(),
    };
  };

  return {
    /** Names of the base images that are published. */
    async list(): Promise<readonly string[]> {
      const names = await content.listRepositories('public');
      return names.filter((name) => name.startsWith(NAMESPACE)).map((name) => name.slice(NAMESPACE.length));
    },

    async publish({
      query,
      body,
    }: {
      readonly query: URLSearchParams;
      readonly body: IncomingMessage;
    }): Promise<{ readonly digest: string }> {
      const image = JSON.parse(query.get('image') ?? '{}') as BaseImage; // what `publishBaseImage` sends
      const base = await readBase(image.base);
      const repository = repositoryOf(image.name);
      await content.createRepository(repository);
      const layer = await storeLayer(repository, body);
      const created = new Date(clock.now()).toISOString();
      const config = Buffer.from(
        JSON.stringify({
          created,
          architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
          os: 'linux',
          config: image.config,
          rootfs: { type: 'layers', diff_ids: [...base.diffIds, layer.diffId] },
          history: [...base.history, { created, created_by: 'dabba images seed', comment: image.comment }],
        }),
      );
      const configBlob = await content.putBlob(repository, chunks(config));
      for (const { digest } of base.layers) await content.mountBlob(repository, parseDigest(digest), base.repository!);
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, digest: configBlob.digest, size: configBlob.sizeBytes },
        layers: [...base.layers, layer.descriptor],
      };
      const [tag, ...tags] = image.tags;
      const { digest } = await content.putManifest(repository, {
        bytes: Buffer.from(JSON.stringify(manifest)),
        mediaType: mediaTypes.manifest,
        ...(tag !== undefined && { tag }),
        tags,
      });
      return { digest };
    },
  };
}

async function* chunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
