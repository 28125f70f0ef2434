import { RegistryError } from './errors.ts';
import { replyJson, type Exchange } from './exchange.ts';
import { parseDigestOf } from './names.ts';

/** `GET …/tags/list?n=&last=` (OCI distribution specification, "Listing Tags"). */
export async function serveTags({ response, content, query, repository, name }: Exchange): Promise<void> {
  const [limit, last] = [limitOf(query.get('n')), query.get('last')];
  const behind = (await content.listTags(repository)).filter((tag) => last === null || tag > last);
  const tags = behind.slice(0, limit);
  const next = tags.length > 0 && tags.length < behind.length ? tags.at(-1) : undefined;
  const link = `</v2/${name}/tags/list?n=${limit}&last=${encodeURIComponent(next ?? '')}>; rel="next"`;
  replyJson(response, { name, tags }, next === undefined ? {} : { headers: { link } });
}

function limitOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw new RegistryError('RANGE_INVALID', `n=${text.slice(0, 20)} is not a number of tags`);
  return Number(text);
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

/** `GET …/referrers/<digest>?artifactType=` (OCI distribution specification, "Listing Referrers"). */
export async function serveReferrers(exchange: Exchange, digestText: string): Promise<void> {
  const { response, content, query, repository } = exchange;
  const artifactType = query.get('artifactType');
  const referrers = await content.listReferrers(repository, parseDigestOf(digestText));
  const manifests = artifactType ? referrers.filter((entry) => entry.artifactType === artifactType) : referrers;
  const headers = { 'content-type': INDEX, ...(artifactType && { 'oci-filters-applied': 'artifactType' }) };
  replyJson(response, { schemaVersion: 2, mediaType: INDEX, manifests }, { headers });
}
