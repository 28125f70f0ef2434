/**
 * API priority and fairness: every request but long-running ones is put by a flow schema into a priority level, which has seats of its own and queues in front of them. Levels
 * lend the seats they do not use, as far as they say; what is their own they have at once when they need it.
 *
 * Source: Kubernetes documentation, "API Priority and Fairness"; KEP-1040.
 */
import type { Clock } from '#base';
import type { Informer, Informers } from '../../client/informer.ts';
import { flowSchemas, priorityLevels } from '../../resources.ts';
import { StatusError } from '../../status.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../types.ts';
import { catchAllLevel, catchAllSchema, exemptLevel, exemptSchema } from './defaults.ts';
import { FairQueues, type Leave, type Limits } from './fair-queues.ts';
import { type Digest, matches } from './match.ts';

/** Seats of all levels together: upstream's `--max-requests-inflight` and `--max-mutating-requests-inflight`. */
const SEATS = 600;

export interface Classified {
  readonly schema: FlowSchema;
  readonly level: PriorityLevelConfiguration;
}

interface Level {
  readonly queues: FairQueues;
  lendable: number;
  /** How many seats beyond its own it may borrow. */
  borrowingLimit: number;
}

export class FlowControl {
  readonly #clock: Clock;
  readonly #seats: number;
  readonly #schemas: Informer<FlowSchema>;
  readonly #configurations: Informer<PriorityLevelConfiguration>;
  /** By name, those that are limited. */
  readonly #levels = new Map<string, Level>();
  readonly #rejected = new Map<string, number>();
  /** In the order in which they are asked; undefined after a change. */
  #order: readonly FlowSchema[] | undefined;

  constructor({
    informers,
    clock,
    seats = SEATS,
  }: {
    readonly informers: Informers;
    readonly clock: Clock;
    readonly seats?: number;
  }) {
    this.#clock = clock;
    this.#seats = seats;
    this.#schemas = informers.of(flowSchemas);
    this.#configurations = informers.of(priorityLevels);
    this.#schemas.onChange(() => (this.#order = undefined));
    this.#configurations.onChange(() => this.#configure());
    this.#configure();
  }

  async synced(): Promise<void> {
    await Promise.all([this.#schemas.synced(), this.#configurations.synced()]);
  }

  /** The first schema that fits and whose level exists; whoever fits none is caught by the last. */
  classify(digest: Digest): Classified {
    this.#order ??= this.#ordered();
    for (const schema of this.#order) {
      const level = this.#configuration(schema.spec?.priorityLevelConfiguration.name ?? '');
      if (level && matches(schema, digest)) return { schema, level };
    }
    return { schema: catchAllSchema, level: catchAllLevel };
  }

  /** Resolves when the request may go on; what it gives ends it. Throws `TooManyRequests`. */
  async enter({ schema, level }: Classified, digest: Digest, { seats, signal }: Width): Promise<Leave> {
    const name = level.metadata!.name!;
    const state = this.#levels.get(name);
    // Exempt.
    if (!state) return () => undefined;
    const schemaName = schema.metadata!.name!;
    const flow = JSON.stringify([schemaName, distinguisher(schema, digest)]);
    const outcome = await state.queues.enter({ flow, seats, signal });
    if (typeof outcome === 'function') return outcome;
    const key = `priority_level="${name}",flow_schema="${schemaName}",reason="${outcome}"`;
    this.#rejected.set(key, (this.#rejected.get(key) ?? 0) + 1);
    throw new StatusError('TooManyRequests', 'too many requests, please try again later', {
      details: { retryAfterSeconds: 1 },
    });
  }

  /** Prometheus' text form. */
  lines(): readonly string[] {
    const levels = [...this.#levels];
    const gauge = (name: string, value: (level: Level) => number) => [
      `# TYPE ${name} gauge`,
      ...levels.map(([level, state]) => `${name}{priority_level="${level}"} ${value(state)}`),
    ];
    const rejected = 'apiserver_flowcontrol_rejected_requests_total';
    return [
      ...gauge('apiserver_flowcontrol_current_executing_seats', ({ queues }) => queues.inUse),
      ...gauge('apiserver_flowcontrol_current_inqueue_requests', ({ queues }) => queues.waiting),
      ...gauge('apiserver_flowcontrol_nominal_limit_seats', ({ queues }) => queues.seats),
      `# TYPE ${rejected} counter`,
      ...[...this.#rejected].map(([labels, count]) => `${rejected}{${labels}} ${count}`),
    ];
  }

  #ordered(): readonly FlowSchema[] {
    const stored = this.#schemas.list();
    const isMissing = (mandatory: FlowSchema) => !this.#schemas.get(mandatory.metadata!.name!);
    return inOrder([...stored, ...[exemptSchema, catchAllSchema].filter(isMissing)]);
  }

  #configuration(name: string): PriorityLevelConfiguration | undefined {
    return (
      this.#configurations.get(name) ?? [exemptLevel, catchAllLevel].find(({ metadata }) => metadata!.name === name)
    );
  }

  /** Divides the seats by the shares. */
  #configure(): void {
    const stored = this.#configurations.list();
    const names = new Set(stored.map(({ metadata }) => metadata!.name));
    const limited = [...stored, ...(names.has('catch-all') ? [] : [catchAllLevel])].filter(({ spec }) => spec?.limited);
    const total = limited.reduce((sum, configuration) => sum + sharesOf(configuration), 0);
    for (const configuration of limited) {
      const seats = Math.ceil((this.#seats * sharesOf(configuration)) / Math.max(1, total));
      this.#set(configuration.metadata!.name!, configuration, { seats, queuing: queuingOf(configuration) });
    }
    const kept = new Set(limited.map(({ metadata }) => metadata!.name));
    // What still waits in one that is gone keeps it until it is let in.
    for (const name of this.#levels.keys()) if (!kept.has(name)) this.#levels.delete(name);
  }

  #set(name: string, { spec }: PriorityLevelConfiguration, limits: Limits): void {
    const { lendablePercent = 0, borrowingLimitPercent } = spec?.limited ?? {};
    const lendable = Math.round((limits.seats * lendablePercent) / 100);
    const borrowingLimit =
      borrowingLimitPercent === undefined
        ? Number.POSITIVE_INFINITY
        : Math.round((limits.seats * borrowingLimitPercent) / 100);
    const known = this.#levels.get(name);
    if (known) {
      Object.assign(known, { lendable, borrowingLimit });
      return known.queues.configure(limits);
    }
    const borrowable = () => this.#borrowable(name);
    const onLeave = () => this.#dispatch();
    const queues = new FairQueues(limits, { clock: this.#clock, borrowable, onLeave });
    this.#levels.set(name, { lendable, borrowingLimit, queues });
  }

  /** What the others lend and nobody has borrowed yet. */
  #borrowable(name: string): number {
    let spare = 0;
    let limit = 0;
    for (const [other, { queues, lendable, borrowingLimit }] of this.#levels) {
      const borrowed = Math.max(0, queues.inUse - queues.seats);
      if (other === name) limit = borrowingLimit - borrowed;
      else spare += Math.max(0, Math.min(lendable, queues.seats - queues.inUse));
      spare -= borrowed;
    }
    return Math.max(0, Math.min(spare, limit));
  }

  #dispatch(): void {
    for (const { queues } of this.#levels.values()) queues.dispatch();
  }
}

export interface Width {
  /** How many others it stands for: lists are wide. */
  readonly seats: number;
  readonly signal: AbortSignal;
}

function inOrder(schemas: readonly FlowSchema[]): readonly FlowSchema[] {
  const rank = ({ spec }: FlowSchema) => spec?.matchingPrecedence ?? 1000;
  const nameOf = ({ metadata }: FlowSchema) => metadata!.name!;
  return schemas.toSorted((a, b) => rank(a) - rank(b) || (nameOf(a) < nameOf(b) ? -1 : 1));
}

function sharesOf({ spec }: PriorityLevelConfiguration): number {
  return spec?.limited?.nominalConcurrencyShares ?? 30;
}

function queuingOf({ spec }: PriorityLevelConfiguration): Limits['queuing'] {
  const { type, queuing } = spec?.limited?.limitResponse ?? {};
  if (type !== 'Queue') return undefined;
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = queuing ?? {};
  return { queues, handSize, queueLengthLimit };
}

function distinguisher({ spec }: FlowSchema, { user, info }: Digest): string {
  if (spec?.distinguisherMethod?.type === 'ByUser') return user.username;
  if (spec?.distinguisherMethod?.type !== 'ByNamespace') return '';
  return info.kind === 'resource' ? (info.namespace ?? '') : '';
}
