import { DabbaError } from '#base';
import type { Api } from './api.ts';
import { queryFilters, queryNumber, sendJson, type Exchange } from './exchange.ts';

const known = ['is-official', 'is-automated', 'stars'];
const mostResults = 100;
const usualResults = 25;

/** GET /images/search: the repositories of the local public gallery, which are all official and have no stars. */
export async function searchImages(api: Api, exchange: Exchange): Promise<void> {
  const term = exchange.query.get('term')?.trim().toLowerCase() ?? '';
  if (term === '') throw new DabbaError('InvalidArgument', 'search term is required');
  const limit = queryNumber(exchange, 'limit') || usualResults;
  if (limit < 1 || limit > mostResults)
    throw new DabbaError('InvalidArgument', `limit ${limit} is outside the range of [1, ${mostResults}]`);
  const filters = queryFilters(exchange);
  const unknown = [...filters.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid filter '${unknown}'`);
  const isNoneWanted =
    filters.get('is-official')?.includes('false') ||
    filters.get('is-automated')?.includes('true') ||
    filters.get('stars')?.some((stars) => Number(stars) > 0);
  const names = isNoneWanted ? [] : await api.publicRepositories();
  const found = names.filter((name) => name.includes(term)).slice(0, limit);
  sendJson(
    exchange,
    200,
    found.map((name) => ({ name, description: '', is_official: true, is_automated: false, star_count: 0 })),
  );
}
