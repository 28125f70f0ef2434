import type { Clock, Random } from '#base';
import type { Authorizer } from '../auth/index.ts';
import { page } from '../page.ts';
import type { Handlers } from '../service.ts';
import type { Directory } from './directory.ts';
import { validation } from './names.ts';

/** What the handlers of IAM are made from. */
export interface IamParts {
  readonly directory: Directory;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly random: Random;
}

export type IamHandlers = Handlers<typeof import('@aws-sdk/client-iam')>;

interface PageInput {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

/** One page in IAM's words: `Marker` and `IsTruncated`, 100 items unless asked otherwise. */
export function iamPage<Row>(
  rows: Iterable<Row>,
  input: PageInput,
  key: (row: Row) => string,
): { readonly items: Row[]; readonly marks: { IsTruncated: boolean; Marker?: string } } {
  const { Marker: token, MaxItems: limit = 100 } = input;
  if (limit < 1 || limit > 1000) throw validation(`MaxItems must be between 1 and 1000, not ${limit}`);
  const { items, nextToken } = page(rows, { token, limit, key, badTokenCode: 'ValidationError' });
  return {
    items,
    marks: nextToken === undefined ? { IsTruncated: false } : { IsTruncated: true, Marker: nextToken },
  };
}

/** IAM's instants have whole seconds. */
export function instant(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

/** Documents travel percent-encoded (IAM API, "GetUserPolicy"). */
export function encodeDocument(document: string): string {
  return encodeURIComponent(document);
}

/** Rows below a path; all without one. */
export function underPath<Row extends { readonly path: string }>(
  rows: readonly Row[],
  prefix: string | undefined,
): Row[] {
  return rows.filter((row) => row.path.startsWith(prefix ?? '/'));
}

/** The key that IAM's lists are ordered by: names without regard to case. */
export function byName(row: { readonly name: string }): string {
  return row.name.toLowerCase();
}
