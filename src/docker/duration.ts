import { DabbaError } from '#base';

/** A span as Docker words it: `Less than a second`, `About a minute`, `3 hours`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(minutes / 60);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** `since` and `until`: seconds since the epoch, with a fraction or without, or RFC 3339. Milliseconds; undefined when absent or 0. */
export function readInstant(text: string | null, name: string): number | undefined {
  if (text === null || text === '' || text === '0') return undefined;
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(ms)) throw new DabbaError('InvalidArgument', `${name}: "${text}" is not a time`);
  return ms;
}

/** RFC 3339 with nanoseconds, as log timestamps are written. */
export function nanosecondTime(atNs: bigint): string {
  const seconds = new Date(Number(atNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${(atNs % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}
