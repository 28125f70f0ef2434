import { page, type Page } from '../page.ts';
import { invalidParameter } from './names.ts';

/** One page of rows by name, as every List operation of EKS gives them: 100 at most. */
export function pageOf<Row>(
  rows: readonly Row[],
  key: (row: Row) => string,
  input: { readonly nextToken?: string | undefined; readonly maxResults?: number | undefined },
): Page<Row> {
  const limit = input.maxResults ?? 100;
  if (limit < 1 || limit > 100) throw invalidParameter('maxResults must be between 1 and 100.');
  const sorted = [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return page(sorted, { token: input.nextToken, limit, key });
}
