import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import type { BuildLine } from './build-client.ts';

/** Shows a build as it goes on. */
export interface BuildView extends Disposable {
  show(line: Exclude<BuildLine, { readonly kind: 'files' }>): void;
  /** Something to be said beside it. */
  say(text: string): void;
  /** All went well. Disposing without it says what the failing step wrote last. */
  end(): void;
}

/** On a terminal the steps at work are drawn anew as time passes; elsewhere each event is a line. */
export function buildView(options: { readonly isQuiet: boolean; readonly isJson: boolean }): BuildView {
  if (options.isJson) return jsonView();
  if (options.isQuiet) return silentView;
  return process.stderr.isTTY ? new TerminalView() : new PlainView();
}

const silentView: BuildView = { show: () => {}, say: () => {}, end: () => {}, [Symbol.dispose]: () => {} };

const jsonView = (): BuildView => ({
  ...silentView,
  show: (line) => void process.stdout.write(`${JSON.stringify(line)}\n`),
});

/** A step and how it stands. */
interface Step {
  readonly label: string;
  readonly startedAt: number;
  readonly decoder: StringDecoder;
  /** What it wrote, by lines; the last may be unfinished. */
  readonly lines: string[];
  isCached: boolean;
}

const keptLines = 200;

/** Follows the steps; the two views draw them. */
abstract class StepView implements BuildView {
  readonly startedAt = Date.now();
  /** The step at work in each stage. */
  readonly running = new Map<number, Step>();
  finished = 0;
  count = 0;
  #isEnded = false;

  show(line: Exclude<BuildLine, { readonly kind: 'files' }>): void {
    const stage = ('stage' in line ? line.stage : undefined) ?? -1;
    const step = this.running.get(stage);
    switch (line.kind) {
      case 'step': {
        if (step) this.#finish(stage, step);
        this.count = line.count;
        const label = `[${line.index}/${line.count}] ${clean(line.text)}`;
        const next = { label, startedAt: Date.now(), decoder: new StringDecoder('utf8'), lines: [], isCached: false };
        this.running.set(stage, next);
        this.began(next);
        return;
      }
      case 'cached':
        if (step) step.isCached = true;
        return;
      case 'output':
        if (step) this.#take(step, step.decoder.write(Buffer.from(line.data, 'base64')));
        return;
      case 'note':
        if (step && !line.text.startsWith('Running in')) this.noted(step, clean(line.text));
        return;
      case 'warning':
        this.say(`warning: ${clean(line.text)}`);
        return;
      case 'stage-end':
        if (step) this.#finish(stage, step);
        return;
      case 'result': {
        for (const [open, left] of this.running) this.#finish(open, left);
        const names = line.references.length > 0 ? ` as ${line.references.join(', ')}` : '';
        this.say(`built ${line.imageId}${names} in ${seconds(this.startedAt)}`);
        return;
      }
      case 'layer':
      default:
    }
  }

  end(): void {
    for (const [stage, step] of this.running) this.#finish(stage, step);
    this.#isEnded = true;
    this.ended();
  }

  [Symbol.dispose](): void {
    if (this.#isEnded) return;
    this.ended();
    for (const step of this.running.values()) this.failed(step);
  }

  #finish(stage: number, step: Step): void {
    this.running.delete(stage);
    this.finished++;
    this.done(step);
  }

  #take(step: Step, text: string): void {
    const [first = '', ...rest] = text.split('\n').map(clean);
    const written = (step.lines.pop() ?? '') + first;
    const complete = [written, ...rest];
    step.lines.push(...complete);
    for (const line of complete.slice(0, -1)) this.wrote(step, line);
    if (step.lines.length > keptLines) step.lines.splice(0, step.lines.length - keptLines);
  }

  abstract say(text: string): void;
  protected abstract began(step: Step): void;
  protected abstract noted(step: Step, text: string): void;
  protected abstract wrote(step: Step, line: string): void;
  protected abstract done(step: Step): void;
  protected abstract failed(step: Step): void;
  protected abstract ended(): void;
}

const outcome = (step: Step) => (step.isCached ? 'CACHED' : seconds(step.startedAt));
const numberOf = ({ label }: Step) => label.slice(0, label.indexOf(' '));
const linesOf = ({ lines }: Step) => (lines.at(-1) === '' ? lines.slice(0, -1) : lines);

class PlainView extends StepView {
  override say(text: string): void {
    process.stderr.write(`${text}\n`);
  }
  protected override began(step: Step): void {
    this.say(step.label);
  }
  protected override noted(step: Step, text: string): void {
    this.say(`${numberOf(step)} ${text}`);
  }
  protected override wrote(step: Step, line: string): void {
    this.say(`${numberOf(step)} ${line}`);
  }
  protected override done(step: Step): void {
    const last = step.lines.at(-1);
    if (last) this.wrote(step, last);
    this.say(`${numberOf(step)} ${step.isCached ? 'CACHED' : `DONE ${outcome(step)}`}`);
  }
  protected override failed(step: Step): void {
    const last = step.lines.at(-1);
    if (last) this.wrote(step, last);
    this.say(`${numberOf(step)} not finished`);
  }
  protected override ended(): void {
    // every line stands already
  }
}

/** Of what a step at work wrote, so many lines are shown. */
const shownLines = 4;

class TerminalView extends StepView {
  // Rewrites the seconds; nothing announces the passing of time.
  readonly #tick = setInterval(() => this.#draw(), 100).unref();
  #drawnLines = 0;

  override say(text: string): void {
    this.#draw([text]);
  }
  protected override began(): void {
    this.#draw();
  }
  protected override noted(step: Step, text: string): void {
    step.lines.push(text, '');
  }
  protected override wrote(): void {
    // drawn with the next tick
  }
  protected override done(step: Step): void {
    this.#draw([columns(` \u001b[32m✔\u001b[0m ${step.label}`, outcome(step))]);
  }
  protected override failed(step: Step): void {
    const tail = linesOf(step).slice(-30);
    process.stderr.write(`${[columns(` \u001b[31m✘\u001b[0m ${step.label}`, outcome(step)), ...tail].join('\n')}\n`);
  }
  protected override ended(): void {
    clearInterval(this.#tick);
    this.#erase();
  }

  /** Erases what was drawn, writes what is to stay, and draws anew below it. */
  #draw(staying: readonly string[] = []): void {
    const head = `building ${seconds(this.startedAt)} (${this.finished}/${this.count})`;
    const steps = [...this.running.values()].flatMap((step) => [
      columns(`   ${step.label}`, seconds(step.startedAt)),
      ...linesOf(step)
        .slice(-shownLines)
        .map((line) => `\u001b[2m     ${line.slice(0, width() - 6)}\u001b[0m`),
    ]);
    const live = this.count === 0 ? [] : [head, ...steps].slice(0, (process.stderr.rows || 24) - 1);
    this.#erase();
    process.stderr.write([...staying, ...live].map((line) => `${line}\n`).join(''));
    this.#drawnLines = live.length;
  }

  #erase(): void {
    if (this.#drawnLines > 0) process.stderr.write(`\u001b[${this.#drawnLines}A\u001b[J`);
    this.#drawnLines = 0;
  }
}

const width = () => process.stderr.columns || 80;

/** Words at the left, the time at the right, in one line. */
function columns(left: string, right: string): string {
  const room = width() - right.length - 2;
  const excess = left.length - stripVTControlCharacters(left).length;
  return `${left.slice(0, room + excess).padEnd(room + excess)} ${right}`;
}

const seconds = (since: number) => `${((Date.now() - since) / 1000).toFixed(1)}s`;

/** Without what would move the cursor. */
const clean = (text: string) =>
  stripVTControlCharacters(text.slice(text.lastIndexOf('\r', text.length - 2) + 1)).replaceAll(/\p{Cc}/gu, (found) =>
    found === '\t' ? '  ' : '',
  );
