/** The messages of protobuf that are plain values in JSON: instants, durations, a number or a name. */
import type { ProtobufReader } from './protobuf-reader.ts';
import type { ProtobufWriter } from './protobuf-writer.ts';

/** Reads the whole numbers and texts of a small message, by field number. */
function readParts(reader: ProtobufReader, isText: (number: number) => boolean): ReadonlyMap<number, number | string> {
  return reader.within(() => {
    const parts = new Map<number, number | string>();
    for (let field = reader.next(); field; field = reader.next())
      parts.set(field.number, isText(field.number) ? reader.text() : reader.integer());
    return parts;
  });
}

const noText = () => false;

/** `seconds = 1`, `nanos = 2`; an empty message is no instant. Throws for what is beyond the year 9999. */
export function readTime(reader: ProtobufReader, isMicro: boolean): string | undefined {
  const parts = readParts(reader, noText);
  const seconds = parts.get(1);
  if (seconds === undefined) return undefined;
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  if (!/^\d{4}-/.test(text)) throw new Error(`the time ${seconds} is out of range`);
  const micros = Math.trunc(Number(parts.get(2) ?? 0) / 1000);
  return isMicro ? `${text}.${String(micros).padStart(6, '0')}Z` : `${text}Z`;
}

/** `type = 1` (0: a number), `intVal = 2`, `strVal = 3`. */
export function readIntOrString(reader: ProtobufReader): number | string {
  const parts = readParts(reader, (number) => number === 3);
  return parts.get(1) ? (parts.get(3) ?? '') : (parts.get(2) ?? 0);
}

/** Nanoseconds as Go writes a duration: `1m30s`, `1.5s`, `10ms`, `0s`. */
export function readDuration(reader: ProtobufReader): string {
  const nanos = Number(readParts(reader, noText).get(1) ?? 0);
  const sign = nanos < 0 ? '-' : '';
  const size = Math.abs(nanos);
  if (size === 0) return '0s';
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${size / 1e3}µs`;
  if (size < 1e9) return `${sign}${size / 1e6}ms`;
  const [hours, minutes] = [Math.floor(size / 3.6e12), Math.floor((size % 3.6e12) / 6e10)];
  const seconds = (size % 6e10) / 1e9;
  return `${sign}${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`;
}

/** Undoes `readTime`: what an instant's message holds. */
export function writeTime(writer: ProtobufWriter, text: string): void {
  const [whole = '', fraction = ''] = text.replace(/Z$/, '').split('.');
  const nanos = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (nanos) writer.integer(2, nanos);
  // Of what is no instant nothing is told, as of one that is not set.
  const seconds = Date.parse(`${whole}Z`) / 1000;
  if (!Number.isNaN(seconds)) writer.integer(1, seconds);
}

export function writeIntOrString(writer: ProtobufWriter, value: number | string): void {
  if (typeof value === 'number') return writer.integer(2, value);
  writer.text(3, value);
  writer.integer(1, 1);
}

const nanosOf: { readonly [unit: string]: number } = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };

/** Undoes `readDuration`. */
export function writeDuration(writer: ProtobufWriter, text: string): void {
  const parts = text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g);
  const nanos = [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * nanosOf[unit!]!, 0);
  writer.integer(1, Math.round(text.startsWith('-') ? -nanos : nanos));
}
