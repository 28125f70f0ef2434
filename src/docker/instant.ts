import { DabbaError } from '#base';

const unitMs: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A filter's `until` in milliseconds: a Go duration (`1h30m`) before `now`, seconds since the epoch, or RFC 3339. */
export function instantOf(text: string, now: number): number {
  if (/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    return now - parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * unitMs[unit!]!, 0);
  }
  const instant = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(instant)) throw new DabbaError('InvalidArgument', `"${text}" is neither a duration nor an instant`);
  return instant;
}
