import { hash } from 'node:crypto';
import { AwsError } from './errors.ts';
import { Collection, type Operation, type Store } from '#store';
import { readJson, writeJson } from './wire/json-values.ts';
import type { OperationSchema, Structure } from './wire/index.ts';

/** How long an answer is kept. AWS services keep theirs for between 8 and 24 hours. */
const WINDOW_MS = 24 * 3_600_000;

interface AnswerRecord {
  readonly inputHash: string;
  readonly output: unknown;
}

/** One call with a client token. */
export interface TokenCall {
  readonly service: string;
  readonly operation: OperationSchema;
  readonly account: string;
  readonly region: string;
  readonly input: Structure;
  readonly mismatchCode: string;
}

/** The part of a transaction that keeps an answer: to be written together with the effect that it tells of. */
export type Remember = (output: object) => readonly Operation[];

/** For calls without a token. */
export const rememberNothing: Remember = () => [];

/**
 * Answers of calls that carried a client token, so that a repeated call gets the first answer instead of a second effect. Answers are kept in the store under
 * `idempotency/`, and die with a lease. One that the handler wrote with its effect is there whatever happens in between; any other is written after it. A failure is
 * not kept, so the caller may try again.
 */
export class Idempotency {
  readonly #store: Store;
  readonly #answers: Collection<AnswerRecord>;
  readonly #running = new Map<string, { readonly inputHash: string; readonly output: Promise<Structure> }>();

  constructor(store: Store) {
    this.#store = store;
    this.#answers = new Collection(store, 'idempotency/');
  }

  /** Runs `run`, unless the token was seen before. Throws `mismatchCode` when it came with another input. */
  async once(call: TokenCall, run: (remember: Remember) => Promise<Structure>): Promise<Structure> {
    const token = tokenOf(call);
    if (token === undefined) return run(rememberNothing);
    const id = [call.service, call.account, call.region, call.operation.name, hash('sha256', token, 'hex')].join('/');
    const inputHash = hash('sha256', JSON.stringify(writeJson(call.operation.input, call.input, 'own')), 'hex');
    const running = this.#running.get(id);
    if (running) {
      if (running.inputHash !== inputHash) throw mismatch(call);
      return running.output;
    }
    const output = this.#recall(call, id, inputHash, run);
    this.#running.set(id, { inputHash, output });
    try {
      return await output;
    } finally {
      this.#running.delete(id);
    }
  }

  async #recall(
    call: TokenCall,
    id: string,
    inputHash: string,
    run: (remember: Remember) => Promise<Structure>,
  ): Promise<Structure> {
    const shape = call.operation.output;
    const known = await this.#answers.get(id);
    if (known && known.value.inputHash !== inputHash) throw mismatch(call);
    if (known) return readJson(shape, known.value.output, '', 'own') as Structure;
    const { id: leaseId } = await this.#store.grantLease(WINDOW_MS);
    let isWritten = false;
    const remember: Remember = (output) => {
      isWritten = true;
      const put = this.#answers.put(id, { inputHash, output: writeJson(shape, output, 'own') });
      return [put.kind === 'put' ? { ...put, leaseId } : put];
    };
    try {
      const output = await run(remember);
      if (!isWritten) await this.#store.txn({ success: remember(output) });
      return output;
    } catch (error) {
      // With the effect, its answer may have been written before something else failed.
      if (!isWritten || !(await this.#answers.get(id))) await this.#store.revokeLease(leaseId);
      throw error;
    }
  }
}

/** The value of the member that the schema marks as idempotency token. */
function tokenOf(call: TokenCall): string | undefined {
  const { input: shape } = call.operation;
  if (shape.kind !== 'structure') return undefined;
  const member = shape.members.find((one) => one.isIdempotencyToken || one.name.toLowerCase() === 'clienttoken');
  const token = member && call.input[member.name];
  return typeof token === 'string' && token !== '' ? token : undefined;
}

function mismatch(call: TokenCall): AwsError {
  const message = 'The request uses the same client token as a previous, but non-identical request.';
  return new AwsError(call.mismatchCode, message, { status: 400 });
}
