import type { Ipv4 } from '../model.ts';
import { setOf } from './ruleset.ts';
import type { Chain, ElementSet } from './ruleset.ts';

/** The one table of every fabric. */
export const FABRIC_TABLE = 'fabric';

/** Name, inside every fabric, of the link to the machine's own namespace. */
export const UPLINK = 'up0';

/** What a fabric itself serves to its interfaces: DNS, metadata, credentials. */
export interface Service {
  readonly address: Ipv4;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

export function servicesSet(services: readonly Service[]): [name: string, set: ElementSet] {
  const keys = services.map(({ address, protocol, port }) => `${address} . ${protocol} . ${port}`);
  return ['services', setOf('type ipv4_addr . inet_proto . inet_service;', keys)];
}

/** Interfaces reach the services and may ping their gateway; from the uplink only answers come in. `checks` come before what is let in. */
export function inputChain(...checks: readonly string[]): Chain {
  return {
    base: 'type filter hook input priority filter; policy drop;',
    rules: [
      'iifname "lo" accept',
      'ct state established,related accept',
      `iifname "${UPLINK}" drop`,
      ...checks,
      'ip daddr . meta l4proto . th dport @services accept',
      'icmp type echo-request accept',
    ],
  };
}
