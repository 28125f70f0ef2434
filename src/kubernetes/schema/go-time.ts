/** Instants as Go reads and Kubernetes writes them: RFC 3339, in UTC, to the second or the microsecond. */
import { ConformError } from './conform-error.ts';

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Reads an instant and writes it as it is stored. Throws with Go's message. */
export function parseGoTime(text: string, isMicro: boolean): string {
  // What is stored already, and most of what is sent.
  if (text.length === 20 && text[19] === 'Z' && !isMicro && isValid(text)) return text;
  const match = rfc3339.exec(text);
  if (!match || !isValid(text)) throw cannotParse(text, isMicro);
  const seconds = new Date(text.replace(/[.,]\d+/, '')).toISOString().slice(0, 19);
  return isMicro ? `${seconds}.${(match[7] ?? '').slice(0, 6).padEnd(6, '0')}Z` : `${seconds}Z`;
}

function isValid(text: string): boolean {
  const match = rfc3339.exec(text);
  if (!match) return false;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  const last = new Date(Date.UTC(year!, month, 0)).getUTCDate();
  return month! >= 1 && month! <= 12 && day! >= 1 && day! <= last && hour! < 24 && minute! < 60 && second! < 60;
}

function cannotParse(text: string, isMicro: boolean): ConformError {
  const layout = isMicro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
  const quoted = JSON.stringify(text);
  return new ConformError(`parsing time ${quoted} as ${JSON.stringify(layout)}: cannot parse ${quoted} as "2006"`);
}
