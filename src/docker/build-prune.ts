import { DabbaError } from '#base';
import type { CachePrune, CacheRecord } from '#engine';
import type { Api } from './api.ts';
import { queryFilters, queryNumber, sendJson, type Exchange } from './exchange.ts';
import { instantOf } from './instant.ts';

/** POST /build/prune: frees what the build cache holds. Ours has no dangling part, so `all` asks for nothing more. */
export async function pruneBuildCache(api: Api, exchange: Exchange): Promise<void> {
  const { ids, reclaimedBytes } = await api.engine.builder.prune(readPrune(api, exchange));
  sendJson(exchange, 200, { CachesDeleted: ids.length === 0 ? null : ids, SpaceReclaimed: reclaimedBytes });
}

function readPrune({ clock }: Api, exchange: Exchange): CachePrune {
  const filters = queryFilters(exchange);
  const unknown = [...filters.keys()].find((name) => !['until', 'unused-for', 'id', 'type'].includes(name));
  if (unknown !== undefined)
    throw new DabbaError('InvalidArgument', `invalid filter '${unknown}'; there are until, unused-for, id, type`);
  // API 1.48 gave keep-storage its new names.
  const keepBytes =
    queryNumber(exchange, 'reserved-space') ??
    queryNumber(exchange, 'max-used-space') ??
    queryNumber(exchange, 'keep-storage');
  const [age] = filters.get('until') ?? filters.get('unused-for') ?? [];
  const ids = filters.get('id');
  const types = filters.get('type');
  return {
    ...(keepBytes === undefined || keepBytes === 0 ? {} : { keepBytes }),
    ...(age === undefined ? {} : { unusedSince: instantOf(age, clock.now()) }),
    ...(ids ? { ids } : {}),
    ...(types ? { types: types.map(typeOf) } : {}),
  };
}

const typeNames: { readonly [name: string]: CacheRecord['type'] } = { regular: 'step', 'exec.cachemount': 'mount' };

function typeOf(name: string): CacheRecord['type'] {
  const type = typeNames[name];
  if (!type) throw new DabbaError('InvalidArgument', `filter type=${name}: there are regular and exec.cachemount`);
  return type;
}
