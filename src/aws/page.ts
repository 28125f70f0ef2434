import { AwsError } from './errors.ts';

export interface PageOptions<Row> {
  /** The token the caller sent back, if any. */
  readonly token: string | undefined;
  /** Most rows of one page: the caller's wish, already checked against the service's limit. */
  readonly limit: number;
  /** What the rows are ordered by; unique. The next page begins behind it even if the row has been deleted meanwhile. */
  readonly key: (row: Row) => string;
  /** Order of the rows by key, in UTF-16 code units. Default `ascending`. */
  readonly order?: 'ascending' | 'descending';
  /** Error code for a token that is not ours. Default `InvalidParameterException`. */
  readonly badTokenCode?: string;
}

export interface Page<Row> {
  readonly items: Row[];
  /** Undefined on the last page. */
  readonly nextToken: string | undefined;
}

/** One page of `rows`, which are ordered by key. The token is opaque to callers: the last key they saw. */
export function page<Row>(rows: Iterable<Row>, options: PageOptions<Row>): Page<Row> {
  const after = options.token === undefined ? undefined : keyOf(options.token, options.badTokenCode);
  const isBehind = (key: string) => after === undefined || (options.order === 'descending' ? key < after : key > after);
  const items: Row[] = [];
  for (const row of rows) {
    if (!isBehind(options.key(row))) continue;
    if (items.length === options.limit) return { items, nextToken: tokenOf(options.key(items.at(-1)!)) };
    items.push(row);
  }
  return { items, nextToken: undefined };
}

const TOKEN_VERSION = 1;

function tokenOf(key: string): string {
  return Buffer.from(JSON.stringify([TOKEN_VERSION, key])).toString('base64url');
}

function keyOf(token: string, badTokenCode = 'InvalidParameterException'): string {
  try {
    const [version, key] = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as unknown[];
    if (version === TOKEN_VERSION && typeof key === 'string') return key;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw new AwsError(badTokenCode, `The pagination token "${token.slice(0, 40)}" is not valid.`);
}
