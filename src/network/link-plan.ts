import { hash } from 'node:crypto';
import { DabbaError } from '#base';
import { addressAt, formatIpv4, overlaps, parseCidr } from './cidr.ts';
import type { Cidr, Ipv4 } from './model.ts';

/** Shared address space (RFC 6598), which neither a VPC's world nor a machine's own network is likely to route. */
const SHARED_SPACE = parseCidr('100.64.0.0/10');
const BLOCK_PREFIX = 20;
const BLOCK_SIZE = 2 ** (32 - BLOCK_PREFIX);

/** How many fabrics one daemon can have on a machine: one /31 of its block each. */
export const MAX_SLOTS = BLOCK_SIZE / 2;

/**
 * Blocks of 4096 addresses for the uplinks of one daemon, in the order to try them: starting at a place that follows from the daemon's name,
 * leaving out those that overlap a network the machine already routes. Two daemons rarely meet, and when they do one moves on.
 */
export function* linkBlocks(instance: string, taken: readonly Cidr[]): Generator<Cidr> {
  const count = SHARED_SPACE.size / BLOCK_SIZE;
  const start = Number.parseInt(hash('sha256', instance, 'hex').slice(0, 8), 16) % count;
  for (let step = 0; step < count; step++) {
    const first = SHARED_SPACE.first + ((start + step) % count) * BLOCK_SIZE;
    const block = `${formatIpv4(first)}/${BLOCK_PREFIX}`;
    if (!taken.some((cidr) => overlaps(cidr, block))) yield block;
  }
}

/** The two ends of a slot's uplink, a /31 (RFC 3021): the machine's and the fabric's. */
export function linkAddresses(block: Cidr, slot: number): { readonly machine: Ipv4; readonly fabric: Ipv4 } {
  if (slot >= MAX_SLOTS)
    throw new DabbaError('ResourceExhausted', `this machine carries ${MAX_SLOTS} networks already`);
  return { machine: addressAt(block, slot * 2), fabric: addressAt(block, slot * 2 + 1) };
}

/** The lowest slot that is free. */
export function freeSlot(taken: ReadonlySet<number>): number {
  for (let slot = 0; slot < MAX_SLOTS; slot++) if (!taken.has(slot)) return slot;
  throw new DabbaError('ResourceExhausted', `this machine carries ${MAX_SLOTS} networks already`);
}

/**
 * A range for an engine network that nothing the machine routes overlaps, from the pools Docker chooses from: 172.17.0.0/16 to 172.31.0.0/16,
 * then 192.168.0.0/20 to 192.168.240.0/20.
 */
export function freeBridgeCidr(taken: readonly Cidr[]): Cidr {
  const pools = [
    ...Array.from({ length: 15 }, (_, index) => `172.${17 + index}.0.0/16`),
    ...Array.from({ length: 16 }, (_, index) => `192.168.${16 * index}.0/20`),
  ];
  const free = pools.find((cidr) => !taken.some((other) => overlaps(other, cidr)));
  if (free !== undefined) return free;
  throw new DabbaError(
    'ResourceExhausted',
    'all predefined address pools have been fully subnetted: no range from 172.17.0.0/16 to 192.168.240.0/20 is free',
  );
}
