import { DabbaError } from '#base';
import type { LoadedImage } from '#engine';
import type { Api } from './api.ts';
import { JsonLines, parseJson, queryFlag, type Exchange } from './exchange.ts';
import { Fields } from './fields.ts';
import { familiarName } from './image-json.ts';
import { endLines } from './lines.ts';
import { shortDigest } from './progress.ts';
import { sendStream } from './send-stream.ts';

/** GET /images/get: several images in one archive. */
export async function saveImages(api: Api, exchange: Exchange): Promise<void> {
  const names = exchange.query.getAll('names').filter(Boolean);
  if (names.length === 0) throw new DabbaError('InvalidArgument', 'no images to save: give at least one name');
  await save(api, exchange, names);
}

/** GET /images/{name}/get. */
export async function saveImage(api: Api, exchange: Exchange): Promise<void> {
  await save(api, exchange, [exchange.params['name']!]);
}

async function save({ engine, info }: Api, exchange: Exchange, names: readonly string[]): Promise<void> {
  refuseOtherPlatform(exchange, info.architecture);
  await sendStream(exchange, 'application/x-tar', await engine.images.save(names, exchange.signal));
}

/** POST /images/load. */
export async function loadImages({ engine, info }: Api, exchange: Exchange): Promise<void> {
  refuseOtherPlatform(exchange, info.architecture);
  const { request, signal } = exchange;
  const isQuiet = queryFlag(exchange, 'quiet');
  const lines = new JsonLines(exchange);
  await endLines(lines, async () => {
    const loaded = await engine.images.load(request, {
      signal,
      onProgress: ({ digest, state, currentBytes, totalBytes }) => {
        if (isQuiet) return;
        const detail =
          state === 'done' ? { current: totalBytes, total: totalBytes } : { current: currentBytes, total: totalBytes };
        void lines.send({ status: 'Loading layer', progressDetail: detail, id: shortDigest(digest) });
      },
    });
    for (const text of loaded.flatMap(wordsOf)) await lines.send({ stream: `${text}\n` });
  });
}

function wordsOf({ id, references }: LoadedImage): readonly string[] {
  if (references.length === 0) return [`Loaded image ID: ${id}`];
  return references.map((reference) => `Loaded image: ${familiarName(reference)}`);
}

/** Of an image only one platform is ever here. */
function refuseOtherPlatform({ query }: Exchange, architecture: string): void {
  const values = query.getAll('platform').filter(Boolean);
  for (const value of values) {
    const platform = new Fields(parseJson(value, 'platform'), 'platform');
    const named = `${platform.word('os') ?? 'linux'}/${platform.word('architecture') ?? architecture}`;
    if (named !== `linux/${architecture}`)
      throw new DabbaError('Unimplemented', `platform "${named}" cannot be chosen on this machine`);
  }
}
