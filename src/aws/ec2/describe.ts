import type { Filter } from '@aws-sdk/client-ec2';
import type { Tags } from '#network';
import type { Collection } from '#store';
import { AwsError } from '../errors.ts';
import { page, type Page } from '../page.ts';
import { applyFilters, type FilterFields } from './filters.ts';
import { notFound, type ResourceKind } from './kinds.ts';
import { allIn, type Scope } from './scope.ts';

/** The parts of a Describe input that all resources share, under one name each. */
export interface Selection {
  readonly ids?: readonly string[] | undefined;
  readonly filters?: readonly Filter[] | undefined;
  readonly maxResults?: number | undefined;
  readonly nextToken?: string | undefined;
}

/** Reads the records a Describe operation asks for: by id (each must exist), filtered, a page at a time. */
export async function select<T extends { readonly id: string; readonly tags: Tags }>(
  collection: Collection<T>,
  scope: Scope,
  options: { readonly kind: ResourceKind; readonly fields: FilterFields<T>; readonly selection: Selection },
): Promise<Page<T>> {
  const records = (await collection.list(allIn(scope))).map(({ value }) => value);
  return selectFrom(records, options);
}

/** The same over records already at hand. */
export function selectFrom<T extends { readonly id: string; readonly tags: Tags }>(
  records: readonly T[],
  options: { readonly kind: ResourceKind; readonly fields: FilterFields<T>; readonly selection: Selection },
): Page<T> {
  const { kind, fields, selection } = options;
  return paginate(applyFilters(named(records, kind, selection.ids), selection.filters, fields), selection);
}

function named<T extends { readonly id: string }>(
  records: readonly T[],
  kind: ResourceKind,
  ids: readonly string[] | undefined,
): readonly T[] {
  if (!ids?.length) return records;
  const byId = new Map(records.map((record) => [record.id, record]));
  for (const id of ids) if (!byId.has(id)) throw notFound(kind, id);
  return [...new Set(ids)].map((id) => byId.get(id)!);
}

/** Cuts a list sorted by id. */
export function paginate<T extends { readonly id: string }>(rows: readonly T[], selection: Selection): Page<T> {
  const { maxResults, nextToken } = selection;
  if (maxResults !== undefined && (maxResults < 5 || maxResults > 1000))
    throw new AwsError(
      'InvalidParameterValue',
      `Value ( ${maxResults} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.`,
    );
  return page(rows, {
    token: nextToken,
    limit: maxResults ?? Infinity,
    key: ({ id }) => id,
    badTokenCode: 'InvalidNextToken',
  });
}
