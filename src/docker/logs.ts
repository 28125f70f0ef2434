import { DabbaError } from '#base';
import type { LogEntry } from '#engine';
import type { Api } from './api.ts';
import { findContainer } from './containers.ts';
import { nanosecondTime, readInstant } from './duration.ts';
import { queryFlag, type Exchange } from './exchange.ts';
import { frame, mediaType } from './frames.ts';
import { write } from './writable.ts';

/** GET /containers/{id}/logs. */
export async function containerLogs(api: Api, exchange: Exchange): Promise<void> {
  const container = await findContainer(api, exchange);
  if (container.create.log?.isOff)
    throw new DabbaError('Unimplemented', 'configured logging driver does not support reading');
  const { query, response, signal } = exchange;
  const stdout = queryFlag(exchange, 'stdout');
  const stderr = queryFlag(exchange, 'stderr');
  if (!stdout && !stderr)
    throw new DabbaError('InvalidArgument', 'Bad parameters: you must choose at least one stream');
  const since = readInstant(query.get('since'), 'since');
  const until = readInstant(query.get('until'), 'until');
  const tail = readTail(query.get('tail'));
  const entries = api.engine.containers.logs(container.id, {
    stdout,
    stderr,
    follow: queryFlag(exchange, 'follow'),
    signal,
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  });
  const isTty = container.create.isTty ?? false;
  response.writeHead(200, { 'content-type': isTty ? mediaType.raw : mediaType.multiplexed });
  response.flushHeaders();
  const line = lineWriter(queryFlag(exchange, 'timestamps'));
  for await (const entry of entries) {
    const data = line(entry);
    await write(response, isTty ? data : frame(entry.stream, data));
  }
  response.end();
}

/** `all`, absent, or a number of lines. */
function readTail(text: string | null): number | undefined {
  if (text === null || text === '' || text === 'all') return undefined;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** Gives lines their ends, and their times when asked: one at the beginning of a line, however many pieces it came in. */
function lineWriter(hasTimestamps: boolean): (entry: LogEntry) => Buffer {
  const isInLine = { stdout: false, stderr: false };
  return ({ stream, data, isPartial, atNs }) => {
    const isBeginning = !isInLine[stream];
    isInLine[stream] = isPartial;
    return Buffer.concat([
      Buffer.from(hasTimestamps && isBeginning ? `${nanosecondTime(atNs)} ` : ''),
      data,
      Buffer.from(isPartial ? '' : '\n'),
    ]);
  };
}
