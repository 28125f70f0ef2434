import type { Answer } from 'dns-packet';
import type { Ipv4 } from '../model.ts';

/** One question, its name in lower case without a final dot. */
export interface DnsQuestion {
  readonly name: string;
  /** `A`, `AAAA`, `PTR`, … */
  readonly type: string;
}

/** Whose resolver was asked. */
export interface DnsAsker {
  /** The VPC, or undefined in an engine network. */
  readonly vpcId: string | undefined;
  /** The private address of the interface that asks. */
  readonly address: Ipv4;
}

/**
 * Names that a VPC's resolver answers itself, e.g. of a private hosted zone or of load balancers. Zones are asked in order; the first that
 * does not answer undefined decides. An empty list says that the name exists without such a record; `unknown`, that it does not exist. A
 * CNAME record is followed by what its target has, wherever that is known.
 */
export interface DnsZone {
  answer(question: DnsQuestion, asker: DnsAsker): ZoneAnswer | undefined;
  /** Its SOA record, sent along with what there is not, so that others know how long to remember that (RFC 2308). */
  readonly start?: Answer;
}

export type ZoneAnswer =
  | readonly Answer[]
  | 'unknown'
  | {
      readonly answers: readonly Answer[];
      /** What whoever asked will want to know next: addresses of the targets. */
      readonly additionals: readonly Answer[];
    };
