import { StringDecoder } from 'node:string_decoder';
import type { BuildEvent } from '#engine';
import { familiarName } from './image-json.ts';
import { shortDigest } from './progress.ts';

/** More of a stage that has to wait is not kept, as BuildKit clips logs. */
const waitingLimitBytes = 2 << 20;

interface WaitingStage {
  readonly lines: object[];
  bytes: number;
  isEnded: boolean;
  // A character may be cut in two between pieces of output.
  readonly decoder: StringDecoder;
}

/**
 * What a build tells, in the lines that Docker's clients print. Stages that are built at the same time are told one after the other: that of
 * the first one as it happens, the others once it is their turn.
 */
export class BuildLines {
  readonly #isQuiet: boolean;
  /** In the order in which they began; the first is being told. */
  readonly #stages = new Map<number, WaitingStage>();

  constructor(isQuiet: boolean) {
    this.#isQuiet = isQuiet;
  }

  /** What can be told now that this happened. */
  linesOf(event: BuildEvent): readonly object[] {
    if (event.kind === 'result') return resultLines(event, this.#isQuiet);
    if (this.#isQuiet) return [];
    if (event.stage === undefined) return linesOf(event, (data) => data.toString());
    const stage = this.#stageOf(event.stage);
    if (event.kind === 'stage-end') {
      stage.isEnded = true;
      return this.#advance();
    }
    const lines = linesOf(event, (data) => stage.decoder.write(data));
    const [told] = this.#stages.values();
    if (told === stage) return lines;
    this.#keep(stage, lines);
    return [];
  }

  #stageOf(number: number): WaitingStage {
    const known = this.#stages.get(number);
    if (known) return known;
    const stage = { lines: [], bytes: 0, isEnded: false, decoder: new StringDecoder('utf8') };
    this.#stages.set(number, stage);
    return stage;
  }

  #keep(stage: WaitingStage, lines: readonly object[]): void {
    const bytes = JSON.stringify(lines).length;
    const isFull = stage.bytes + bytes > waitingLimitBytes;
    if (!isFull) stage.lines.push(...lines);
    else if (stage.bytes <= waitingLimitBytes) stage.lines.push({ stream: '[output clipped]\n' });
    stage.bytes += isFull ? waitingLimitBytes : bytes;
  }

  /** Goes on to the first stage that has not ended, telling what waited on the way. */
  #advance(): readonly object[] {
    const lines: object[] = [];
    for (const [number, stage] of this.#stages) {
      lines.push(...stage.lines.splice(0));
      if (!stage.isEnded) break;
      this.#stages.delete(number);
    }
    return lines;
  }
}

function linesOf(
  event: Exclude<BuildEvent, { readonly kind: 'result' }>,
  decode: (data: Buffer) => string,
): readonly object[] {
  switch (event.kind) {
    case 'step':
      return [{ stream: `Step ${event.index}/${event.count} : ${event.text}` }, { stream: '\n' }];
    case 'cached':
      return [{ stream: ' ---> Using cache\n' }];
    case 'layer':
      return [{ stream: ` ---> ${shortDigest(event.id)}\n` }];
    case 'note':
      return [{ stream: ` ---> ${event.text}\n` }];
    case 'warning':
      return [{ stream: `[Warning] ${event.text}\n` }];
    case 'output':
      return [{ stream: decode(event.data) }];
    case 'stage-end':
    default:
      return [];
  }
}

function resultLines(event: Extract<BuildEvent, { readonly kind: 'result' }>, isQuiet: boolean): readonly object[] {
  const aux = { aux: { ID: event.imageId } };
  if (isQuiet) return [aux, { stream: `${event.imageId}\n` }];
  return [
    aux,
    { stream: `Successfully built ${shortDigest(event.imageId)}\n` },
    ...event.references.map((reference) => ({ stream: `Successfully tagged ${familiarName(reference)}\n` })),
  ];
}
