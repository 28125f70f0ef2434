/** Cron schedules: `30 9-17 * * mon-fri`, `@daily`, `@every 90m`. Behaviour: github.com/robfig/cron v3, "ParseStandard", as Kubernetes uses it. */
import { instantAt, localTimeAt } from './time-zone.ts';

export interface Schedule {
  /** The first instant behind `afterMs`, in milliseconds; undefined if there is none within five years. */
  next(afterMs: number): number | undefined;
}

const MINUTE_MS = 60_000;

interface FieldRule {
  readonly name: string;
  readonly lowest: number;
  readonly highest: number;
  readonly names?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const rules: readonly FieldRule[] = [
  { name: 'minute', lowest: 0, highest: 59 },
  { name: 'hour', lowest: 0, highest: 23 },
  { name: 'day of month', lowest: 1, highest: 31 },
  { name: 'month', lowest: 1, highest: 12, names: months },
  { name: 'day of week', lowest: 0, highest: 6, names: days },
];
const descriptors: { readonly [name: string]: string } = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Reads a schedule in a time zone of the IANA database. Throws an `Error` that says what is wrong. */
export function parseSchedule(text: string, timeZone: string): Schedule {
  if (text.startsWith('@every ')) return every(durationMs(text.slice('@every '.length)));
  const fields = (descriptors[text] ?? text).trim().split(/\s+/);
  if (text.startsWith('@') && !descriptors[text]) throw new Error(`unrecognized descriptor: ${text}`);
  if (fields.length !== rules.length)
    throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  const [minutes, hours, daysOfMonth, months, daysOfWeek] = fields.map((field, index) =>
    parseField(field, rules[index]!),
  );
  return new CronSchedule(timeZone, {
    minutes: minutes!,
    hours: hours!,
    daysOfMonth: daysOfMonth!,
    months: months!,
    daysOfWeek: daysOfWeek!,
  });
}

interface Field {
  readonly values: ReadonlySet<number>;
  /** `*` or `?`: with a star in either day field, both must hold; otherwise one is enough. */
  readonly isStar: boolean;
}

function parseField(text: string, rule: FieldRule): Field {
  const values = new Set<number>();
  for (const part of text.split(',')) for (const value of rangeOf(part, rule)) values.add(value);
  return { values, isStar: text.split(',').some((part) => /^[*?](?:\/1)?$/.test(part)) };
}

function rangeOf(text: string, rule: FieldRule): readonly number[] {
  const [range = '', step, ...rest] = text.split('/');
  const [from = '', to, ...more] = range.split('-');
  if (rest.length || more.length) throw new Error(`too many hyphens or slashes: ${text}`);
  const isAll = from === '*' || from === '?';
  const first = isAll ? rule.lowest : valueOf(from, rule);
  // With a step a single value means everything from there on.
  const last =
    isAll || (to === undefined && step !== undefined) ? rule.highest : to === undefined ? first : valueOf(to, rule);
  const by = step === undefined ? 1 : Number(step);
  if (!/^\d*$/.test(step ?? '') || !(by > 0)) throw new Error(`step of range should be a positive number: ${text}`);
  if (first < rule.lowest || last > rule.highest || first > last)
    throw new Error(`${rule.name} is out of range ${rule.lowest}-${rule.highest}: ${text}`);
  return Array.from({ length: Math.floor((last - first) / by) + 1 }, (_, index) => first + index * by);
}

function valueOf(text: string, { names, lowest }: FieldRule): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + lowest;
  if (!/^\d{1,4}$/.test(text)) throw new Error(`failed to parse number: ${JSON.stringify(text)}`);
  return Number(text);
}

function durationMs(text: string): number {
  const units: { readonly [unit: string]: number } = { h: 3_600_000, m: MINUTE_MS, s: 1000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|m|s)/g)];
  if (!parts.length || parts.map(([part]) => part).join('') !== text)
    throw new Error(`failed to parse duration: ${text}`);
  const ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit!]!, 0);
  return Math.max(1000, Math.floor(ms / 1000) * 1000);
}

function every(ms: number): Schedule {
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + ms };
}

type Fields = { readonly [Name in 'minutes' | 'hours' | 'daysOfMonth' | 'months' | 'daysOfWeek']: Field };

class CronSchedule implements Schedule {
  readonly #timeZone: string;
  readonly #fields: Fields;

  constructor(timeZone: string, fields: Fields) {
    this.#timeZone = timeZone;
    this.#fields = fields;
  }

  /** Goes on to the next month, day, hour, minute in turn, whichever does not fit yet. */
  next(afterMs: number): number | undefined {
    const { minutes, hours, months } = this.#fields;
    const zone = this.#timeZone;
    let at = Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
    const limit = localTimeAt(at, zone).year + 5;
    for (;;) {
      const { year, month, day, hour, minute, weekday } = localTimeAt(at, zone);
      if (year > limit) return undefined;
      if (!months.values.has(month)) at = later(at, instantAt({ year, month: month + 1, day: 1 }, zone));
      else if (!this.#isDay(day, weekday)) at = later(at, instantAt({ year, month, day: day + 1 }, zone));
      else if (!hours.values.has(hour)) at += (60 - minute) * MINUTE_MS;
      else if (!minutes.values.has(minute)) at += MINUTE_MS;
      else return at;
    }
  }

  #isDay(day: number, weekday: number): boolean {
    const { daysOfMonth, daysOfWeek } = this.#fields;
    const isOfMonth = daysOfMonth.values.has(day);
    const isOfWeek = daysOfWeek.values.has(weekday);
    return daysOfMonth.isStar || daysOfWeek.isStar ? isOfMonth && isOfWeek : isOfMonth || isOfWeek;
  }
}

/** Where a clock is set back at midnight, the beginning of the next day may seem to lie behind us. */
function later(at: number, next: number): number {
  return next > at ? next : at + 60 * MINUTE_MS;
}
