/** Wall clocks of the world, by the time zone database that the runtime carries. */

export interface LocalTime {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  return format;
}

export function isTimeZone(name: string): boolean {
  // The runtime takes offsets such as `+01:00` too, which the database does not name.
  if (!/^[A-Za-z]/.test(name) || name.toLowerCase() === 'local') return false;
  try {
    formatOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** What the wall clock of a zone shows. */
export function localTimeAt(instantMs: number, timeZone: string): LocalTime {
  const shown = new Date(instantMs + offsetMs(instantMs, timeZone));
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    hour: shown.getUTCHours(),
    minute: shown.getUTCMinutes(),
    weekday: shown.getUTCDay(),
  };
}

/** When a day begins in a zone; months and days past the end run over into the next. */
export function instantAt({ year, month, day }: Pick<LocalTime, 'year' | 'month' | 'day'>, timeZone: string): number {
  const asUtc = Date.UTC(year, month - 1, day);
  const guess = asUtc - offsetMs(asUtc, timeZone);
  const instant = asUtc - offsetMs(guess, timeZone);
  // Where a clock is set forward at midnight, the day begins when it is.
  return localTimeAt(instant, timeZone).day === new Date(asUtc).getUTCDate() ? instant : instant + 3_600_000;
}

function offsetMs(instantMs: number, timeZone: string): number {
  if (timeZone === 'UTC') return 0;
  const shown = new Map<string, number>();
  for (const { type, value } of formatOf(timeZone).formatToParts(instantMs)) shown.set(type, Number(value));
  const of = (type: string) => shown.get(type) ?? 0;
  const asUtc = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
  return asUtc - Math.floor(instantMs / 1000) * 1000;
}
