/** Structured fields of a log line. Field names are the same everywhere: `requestId`, `account`, `region`, `arn`, `containerId`, … */
export type LogFields = { readonly [name: string]: string | number | boolean | undefined };

/** One line for each decision, none for each step. Credentials never reach a log. */
export interface Logger {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each line. */
  with(fields: LogFields): Logger;
}

/** Writes JSON lines: `time`, `level`, `message`, then the fields. */
export function jsonLogger(write: (line: string) => void, now: () => number, fields: LogFields = {}): Logger {
  const line = (level: string) => (message: string, more?: LogFields) =>
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, message, ...fields, ...more })}\n`);
  return {
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (more) => jsonLogger(write, now, { ...fields, ...more }),
  };
}

/** Discards everything; for tests. */
export const silentLogger: Logger = { info() {}, warn() {}, error() {}, with: () => silentLogger };
