/** A metric: one series of numbers. */
export interface MetricId {
  readonly account: string;
  readonly region: string;
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: { readonly [name: string]: string };
}

/** What was measured in one minute, or several. */
export interface MetricSummary {
  readonly count: number;
  readonly sum: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** Minutes kept, and most series: 3 hours of 2,000 series are 11.5 MB. */
const MINUTES = 180;
const MAX_SERIES = 2000;
const MINUTE_MS = 60_000;
/** Numbers of one minute: its own number (to tell it from the one 180 minutes ago), count, sum, minimum, maximum. */
const FIELDS = 5;

class Series {
  readonly id: MetricId;
  lastAt = 0;
  readonly #ring = new Float64Array(MINUTES * FIELDS);

  constructor(id: MetricId) {
    this.id = id;
  }

  add(value: number, at: number): void {
    const minute = Math.floor(at / MINUTE_MS);
    const slot = (minute % MINUTES) * FIELDS;
    const ring = this.#ring;
    this.lastAt = Math.max(this.lastAt, at);
    if (ring[slot] !== minute) ring.set([minute, 0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], slot);
    ring[slot + 1]! += 1;
    ring[slot + 2]! += value;
    ring[slot + 3] = Math.min(ring[slot + 3]!, value);
    ring[slot + 4] = Math.max(ring[slot + 4]!, value);
  }

  minute(minute: number): MetricSummary | undefined {
    const slot = (minute % MINUTES) * FIELDS;
    const [own, count, sum, minimum, maximum] = this.#ring.subarray(slot, slot + FIELDS) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    return own === minute ? { count, sum, minimum, maximum } : undefined;
  }
}

/** Metrics of the last hours, in memory, by the minute. They begin anew with the process. */
export class MetricStore {
  readonly #series = new Map<string, Series>();

  /** Adds a value. Beyond 2,000 series the one that was longest silent is forgotten. */
  add(id: MetricId, value: number, at: number): void {
    const key = keyOf(id);
    let series = this.#series.get(key);
    if (!series) {
      if (this.#series.size >= MAX_SERIES) this.#forgetOne();
      this.#series.set(key, (series = new Series(id)));
    }
    series.add(value, at);
  }

  /** The metrics of an account in a region. */
  list(account: string, region: string): MetricId[] {
    return [...this.#series.values()]
      .map(({ id }) => id)
      .filter((id) => id.account === account && id.region === region);
  }

  /** Summaries of whole periods from `from` (a period's start) to before `to`; periods with nothing are left out. */
  read(
    id: MetricId,
    range: { readonly from: number; readonly to: number; readonly periodMs: number },
  ): { readonly at: number; readonly summary: MetricSummary }[] {
    const series = this.#series.get(keyOf(id));
    if (!series) return [];
    const oldest = series.lastAt - MINUTES * MINUTE_MS;
    const periods = new Map<number, MetricSummary>();
    for (
      let at = Math.max(range.from, Math.floor(oldest / MINUTE_MS) * MINUTE_MS);
      at < Math.min(range.to, series.lastAt + MINUTE_MS);
      at += MINUTE_MS
    ) {
      const summary = series.minute(Math.floor(at / MINUTE_MS));
      const period = range.from + Math.floor((at - range.from) / range.periodMs) * range.periodMs;
      if (summary) periods.set(period, joined(periods.get(period), summary));
    }
    return [...periods].map(([at, summary]) => ({ at, summary }));
  }

  #forgetOne(): void {
    const silent = [...this.#series].reduce((first, second) => (second[1].lastAt < first[1].lastAt ? second : first));
    this.#series.delete(silent[0]);
  }
}

function joined(first: MetricSummary | undefined, second: MetricSummary): MetricSummary {
  if (!first) return second;
  return {
    count: first.count + second.count,
    sum: first.sum + second.sum,
    minimum: Math.min(first.minimum, second.minimum),
    maximum: Math.max(first.maximum, second.maximum),
  };
}

function keyOf(id: MetricId): string {
  let key = `${id.account}\n${id.region}\n${id.namespace}\n${id.name}`;
  for (const name of Object.keys(id.dimensions).sort()) key += `\n${name}=${id.dimensions[name]}`;
  return key;
}
