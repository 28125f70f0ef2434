/** Runs asynchronous work one after another, in the order asked. A failure is the caller's and does not stop the next. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when all work asked so far is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
