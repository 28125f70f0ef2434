import { messageOf, type Logger, type Random } from '#base';
import type { CallObserver, FinishedCall } from '../edge/index.ts';
import { auditRecordOf, type AuditRecord } from './record.ts';
import { TrailFiles } from './trail-files.ts';

/** Where a reader of the trail stands: everything up to this line of this file has been seen, going back in time. */
export interface TrailPosition {
  readonly file: string;
  readonly line: number;
}

/** CloudTrail leaves out parameters that are larger than about this. */
const MAX_LINE_LENGTH = 200_000;
const omitted = {
  requestParameters: { omitted: true, reason: 'the record is too large' },
  responseElements: null,
} satisfies Partial<AuditRecord>;

/**
 * The audit trail: one JSON line a call, appended to files under one directory with one write an event-loop turn. Records that cannot be written
 * (a full disk) are lost, and said to be so in the log.
 */
export class AuditTrail implements CallObserver, Disposable {
  readonly #files: TrailFiles;
  readonly #random: Random;
  readonly #logger: Logger;
  #pending: string[] = [];

  constructor(options: { readonly directory: string; readonly random: Random; readonly logger: Logger }) {
    this.#files = new TrailFiles(options.directory);
    this.#random = options.random;
    this.#logger = options.logger;
  }

  /** For the edge. */
  observe(finished: FinishedCall): void {
    const record = auditRecordOf(finished, this.#random);
    if (record) this.record(record);
  }

  /** For what is done through another door than the edge: an image pushed by `docker`. */
  record(record: AuditRecord): void {
    if (!this.#pending.length) setImmediate(() => this.#flush());
    const line = JSON.stringify(record);
    this.#pending.push(line.length > MAX_LINE_LENGTH ? JSON.stringify({ ...record, ...omitted }) : line);
  }

  /** Records of an account, newest first, behind `after`, with where each stands. */
  *read(
    account: string,
    after?: TrailPosition,
  ): Generator<{ readonly record: AuditRecord; readonly position: TrailPosition }> {
    this.#flush();
    for (const file of this.#files.names()) {
      if (after && file > after.file) continue;
      const lines = this.#files.read(file);
      const end = after?.file === file ? Math.min(after.line, lines.length) : lines.length;
      for (let line = end - 1; line >= 0; line--) {
        const record = recordOf(lines[line]!, account);
        if (record) yield { record, position: { file, line } };
      }
    }
  }

  /** Forgets the records of an account, or all. */
  forget(account: string | undefined): void {
    this.#flush();
    this.#files.retain((line) => account !== undefined && recordOf(line, account) === undefined);
  }

  [Symbol.dispose](): void {
    this.#flush();
    this.#files.close();
  }

  #flush(): void {
    const lines = this.#pending;
    if (!lines.length) return;
    this.#pending = [];
    try {
      this.#files.append(`${lines.join('\n')}\n`);
    } catch (error) {
      this.#logger.error('audit records were lost', { count: lines.length, error: messageOf(error) });
    }
  }
}

/** The record in a line, if it is one of the account's. A line that a crash cut short is none. */
function recordOf(line: string, account: string): AuditRecord | undefined {
  // Parsing is dear, and most lines of a shared trail are others'.
  if (!line.includes(`"recipientAccountId":"${account}"`)) return undefined;
  try {
    const record = JSON.parse(line) as AuditRecord;
    return record.recipientAccountId === account ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
