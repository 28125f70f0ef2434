import { page, type Page } from '../page.ts';
import { invalidParameter } from './names.ts';

/** One page of ARNs or names in order, as every List operation of ECS gives them: 100 at most. */
export function pageOf(
  rows: readonly string[],
  input: { readonly nextToken?: string | undefined; readonly maxResults?: number | undefined },
  defaultLimit = 100,
): Page<string> {
  const limit = input.maxResults ?? defaultLimit;
  if (limit < 1 || limit > 100) throw invalidParameter('maxResults must be between 1 and 100.');
  return page([...rows].sort(), { token: input.nextToken, limit, key: (row) => row });
}
