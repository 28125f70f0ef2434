import { failureOf } from './errors.ts';
import type { JsonLines } from './exchange.ts';

/** Runs what writes the lines. A failure after the first line becomes the last line, since the status has gone out; before it, it is thrown. */
export async function endLines(lines: JsonLines, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!lines.isStarted) throw error;
    const { message } = failureOf(error);
    await lines.send({ errorDetail: { message }, error: message });
  }
  lines.end();
}
