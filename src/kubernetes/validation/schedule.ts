/** The schedule of a cron job, as robfig/cron's standard parser reads it: five fields, or a descriptor. Only whether it is one; `controllers/` computes its times. */

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const fields: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];
const descriptors = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);

/** What is wrong with a schedule; undefined for a good one. */
export function scheduleProblem(schedule: string): string | undefined {
  if (schedule.startsWith('@')) {
    if (descriptors.has(schedule) || /^@every (?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(schedule))
      return undefined;
    return `unrecognized descriptor: ${schedule}`;
  }
  const words = schedule.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return 'empty spec string';
  if (words.length !== fields.length) return `expected exactly 5 fields, found ${words.length}: [${words.join(' ')}]`;
  for (const [index, word] of words.entries())
    for (const part of word.split(',')) {
      const problem = partProblem(part, fields[index]!);
      if (problem) return problem;
    }
  return undefined;
}

function partProblem(part: string, bounds: Bounds): string | undefined {
  const [range, step, ...rest] = part.split('/') as [string, ...string[]];
  if (rest.length > 0) return `too many slashes: ${part}`;
  const [low, high, ...more] = range.split('-') as [string, ...string[]];
  if (more.length > 0) return `too many hyphens: ${part}`;
  const isAll = low === '*' || low === '?';
  const start = isAll ? bounds.min : valueOf(low, bounds);
  const end = isAll
    ? bounds.max
    : high === undefined
      ? step === undefined
        ? start
        : bounds.max
      : valueOf(high, bounds);
  if (start === undefined || end === undefined)
    return `failed to parse int from ${start === undefined ? low : high}: strconv.Atoi: parsing ${JSON.stringify(start === undefined ? low : high)}: invalid syntax`;
  if (step !== undefined && !/^\d+$/.test(step))
    return `failed to parse int from ${step}: strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`;
  if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${part}`;
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${part}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${part}`;
  if (step !== undefined && Number(step) === 0) return `step of range should be a positive number: ${part}`;
  return undefined;
}

function valueOf(text: string, { min, names }: Bounds): number | undefined {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + min;
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Whether the machine knows a time zone by that name. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone.length > 0;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
