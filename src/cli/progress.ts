/**
 * One line of progress for one long job. On a terminal the line is rewritten in place, with the time that has passed; elsewhere only
 * the first and last words are printed, so that logs stay short.
 */
export class Progress implements Disposable {
  readonly #title: string;
  readonly #startedAt = Date.now();
  readonly #isTerminal = process.stderr.isTTY;
  #words = '';
  #isDone = false;
  // Rewrites the seconds; nothing announces the passing of time.
  readonly #tick: NodeJS.Timeout | undefined;

  constructor(title: string) {
    this.#title = title;
    if (this.#isTerminal) this.#tick = setInterval(() => this.#draw(), 500).unref();
  }

  /** What is being done now. */
  report(words: string): void {
    this.#words = words;
    if (this.#isTerminal) this.#draw();
  }

  /** Ends the line with the outcome. */
  done(words: string): void {
    this.#isDone = true;
    clearInterval(this.#tick);
    const seconds = this.#seconds();
    const line = `${this.#title}: ${words}${seconds >= 1 ? ` (${seconds} s)` : ''}`;
    process.stderr.write(this.#isTerminal ? `\r\u001b[K${line}\n` : `${line}\n`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#tick);
    if (!this.#isDone && this.#isTerminal) process.stderr.write('\n');
  }

  #draw(): void {
    const line = `${this.#title}: ${this.#words} … ${this.#seconds()} s`;
    process.stderr.write(`\r\u001b[K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  #seconds(): number {
    return Math.round((Date.now() - this.#startedAt) / 1000);
  }
}
