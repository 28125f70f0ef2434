/** Calls of a service's handlers in unit tests, as the edge makes them: by name, with loosely typed input and output. */
import assert from 'node:assert/strict';
import { parseAccountId, type Arn } from '#base';
import type { Store } from '#store';
import type { Principal } from './auth/index.ts';
import { AwsError } from './errors.ts';
import type { CallContext } from './service.ts';

export const account = parseAccountId('000000000000');
export const region = 'us-east-1';

const root: Principal = {
  kind: 'root',
  account,
  arn: `arn:aws:iam::${account}:root` as Arn,
  principalId: account,
  accessKeyId: 'test',
};

/** What a handler is told of a call by the account's root, who may do everything. */
export function callContext(more: Partial<CallContext> = {}): CallContext {
  return {
    account,
    region,
    principal: root,
    requestId: 'r',
    sourceIp: '127.0.0.1',
    userAgent: 'test',
    now: Date.now(),
    endpoint: 'http://127.0.0.1:4566',
    authorize: async () => undefined,
    remember: () => [],
    ...more,
  };
}

// Outputs are walked by the tests, which fail on what is not there.
// eslint-disable-next-line typescript/no-explicit-any
export type Answer = any;

interface Handling {
  readonly handlers: { readonly [operation: string]: unknown };
}

/** Calls operations of the service that `serviceOf` gives at that time. */
export function caller(serviceOf: () => Handling, contextOf: () => CallContext = callContext) {
  return async (operation: string, input: object = {}): Promise<Answer> => {
    const handler = serviceOf().handlers[operation] as (input: object, context: CallContext) => Promise<Answer>;
    return await handler(input, contextOf());
  };
}

/**
 * Calls an operation as one with a client token, and asserts that its answer is written in the transaction that writes a record under `prefix`: a crash in between
 * cannot part them.
 */
export async function callRemembered(
  store: Store,
  serviceOf: () => Handling,
  {
    operation,
    input,
    prefix,
    context = callContext(),
  }: { readonly operation: string; readonly input: object; readonly prefix: string; readonly context?: CallContext },
): Promise<Answer> {
  const key = `remembered/${operation}`;
  const remember: CallContext['remember'] = (output) => [
    { kind: 'put', key, value: Buffer.from(JSON.stringify(output)) },
  ];
  const answer = await caller(serviceOf, () => ({ ...context, remember }))(operation, input);
  const remembered = await store.get(key);
  assert.ok(remembered, `${operation} remembers its answer with its effect`);
  assert.deepEqual(JSON.parse(Buffer.from(remembered.value).toString()), JSON.parse(JSON.stringify(answer)));
  const { entries } = await store.list(prefix);
  assert.ok(entries.some(({ modRevision }) => modRevision === remembered.modRevision));
  return answer;
}

/** For `assert.rejects`: an error of this code which says these words, or has this HTTP status. */
export const refused =
  (code: string, wanted: string | number = '') =>
  (error: unknown) =>
    error instanceof AwsError &&
    error.code === code &&
    (typeof wanted === 'string' ? error.message.includes(wanted) : error.status === wanted);

/** Waits until `look` finds something, reading again after every change of the store. */
export async function until<T>(store: Store, look: () => Promise<T | undefined | false>): Promise<T> {
  const signal = AbortSignal.timeout(8000);
  const changes = store.watch('', { signal })[Symbol.asyncIterator]();
  let next = changes.next();
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(!(await next).done, 'not within time');
    next = changes.next();
  }
}
