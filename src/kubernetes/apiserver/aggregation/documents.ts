/** The OpenAPI v2 documents of other servers, asked for when somebody asks for the whole. Source: kube-aggregator `pkg/controllers/openapi`. */
import { createHash } from 'node:crypto';
import { messageOf } from '#base';
import { apiVersionOf, type GroupVersion } from '../../object.ts';
import { isObject, type JsonObject } from '../../schema/json.ts';
import { type ForeignDocument, isShallow } from '../../schema/openapi/merge-v2.ts';
import type { ApiParts } from '../parts.ts';
import { jsonOf } from './answer.ts';
import type { RemoteApi } from './remote-apis.ts';
import { requestRemote } from './request.ts';

/** How long a document is good: upstream asks again each minute, too. */
const KEPT_MS = 60_000;
const TIMEOUT_MS = 5000;
const MOST_BYTES = 16 * 1024 * 1024;

export interface RemoteDocument extends ForeignDocument {
  readonly hash: string;
}

interface Kept {
  readonly at: number;
  readonly spec: RemoteApi['spec'];
  readonly document: Promise<RemoteDocument | undefined>;
}

type Parts = Pick<ApiParts, 'dialService' | 'frontProxy' | 'clock' | 'logger'>;

export class RemoteDocuments {
  readonly #kept = new Map<string, Kept>();

  /** Those that can be had; of others the log says why not. */
  async of(
    parts: Parts,
    servers: readonly { readonly groupVersion: GroupVersion; readonly remote: RemoteApi }[],
  ): Promise<readonly RemoteDocument[]> {
    const names = new Set(servers.map(({ groupVersion }) => apiVersionOf(groupVersion)));
    for (const name of this.#kept.keys()) if (!names.has(name)) this.#kept.delete(name);
    const found = await Promise.all(
      servers.map(({ groupVersion, remote: { spec } }) => {
        const name = apiVersionOf(groupVersion);
        const now = parts.clock.now();
        const known = this.#kept.get(name);
        if (known && known.spec === spec && known.at + KEPT_MS > now) return known.document;
        const document = fetchDocument(parts, groupVersion, spec);
        this.#kept.set(name, { at: now, spec, document });
        return document;
      }),
    );
    return found.filter((each) => each !== undefined);
  }
}

async function fetchDocument(
  parts: Parts,
  groupVersion: GroupVersion,
  spec: RemoteApi['spec'],
): Promise<RemoteDocument | undefined> {
  try {
    const answer = await requestRemote(parts, {
      spec,
      method: 'GET',
      path: '/openapi/v2',
      headers: { accept: ['application/json'] },
      user: { username: 'system:aggregator', groups: ['system:masters'] },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const document = await jsonOf(answer, MOST_BYTES);
    if (answer.statusCode !== 200 || !isDocument(document)) throw new Error(`bad answer: ${answer.statusCode}`);
    return { groupVersion, document, hash: createHash('sha256').update(JSON.stringify(document)).digest('hex') };
  } catch (error) {
    const fields = { apiVersion: apiVersionOf(groupVersion), error: messageOf(error) };
    parts.logger.warn('the OpenAPI document of another server could not be had', fields);
    return undefined;
  }
}

function isDocument(value: unknown): value is JsonObject {
  return isObject(value) && isShallow(value);
}
