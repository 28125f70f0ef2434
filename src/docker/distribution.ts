import type { Api } from './api.ts';
import { registryAuth } from './credentials.ts';
import { sendJson, type Exchange } from './exchange.ts';

/** GET /distribution/{name}/json: what a registry has under a name, without pulling it. */
export async function inspectDistribution({ engine }: Api, exchange: Exchange): Promise<void> {
  const { params, request, signal } = exchange;
  const found = await engine.images.lookUp(params['name']!, { ...registryAuth(request), signal });
  sendJson(exchange, 200, {
    Descriptor: { mediaType: found.mediaType, digest: found.digest, size: found.sizeBytes },
    Platforms: found.platforms,
  });
}
