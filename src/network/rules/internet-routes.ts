import { formatIpv4, parseCidr } from '../cidr.ts';
import type { Ipv4, Route, RouteTable, RouteTarget } from '../model.ts';

/** The route table a subnet uses: its own, or else the main one of its VPC. */
export function routeTableOf(
  subnet: { readonly id: string; readonly vpcId: string },
  tables: Iterable<RouteTable>,
): RouteTable | undefined {
  let main: RouteTable | undefined;
  for (const table of tables) {
    if (table.vpcId !== subnet.vpcId) continue;
    if (table.associations.some(({ subnetId }) => subnetId === subnet.id)) return table;
    if (table.isMain) main = table;
  }
  return main;
}

/** Addresses from the first to the last. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * The destinations that a route table sends to an internet gateway in `attached`, as disjoint ranges `first-last` in order: the longest prefix
 * decides for each address, so a more specific route to elsewhere cuts a hole.
 */
export function internetRanges(routes: readonly Route[], attached: ReadonlySet<string>): string[] {
  return rangesTo(routes, isAttached(attached)).map(format);
}

/** A NAT gateway as routes lead to it: what its own subnet's routes send to the internet is what it reaches. */
export interface RoutedNat {
  readonly id: string;
  readonly publicIp: Ipv4;
  readonly routes: readonly Route[];
}

/** The destinations that a route table sends to each of these gateways and that are reached from there. Those with none are left out. */
export function natRanges(
  routes: readonly Route[],
  gateways: readonly RoutedNat[],
  attached: ReadonlySet<string>,
): { readonly publicIp: Ipv4; readonly destinations: readonly string[] }[] {
  return gateways.flatMap(({ id, publicIp, routes: own }) => {
    const there = rangesTo(routes, (target) => target.kind === 'nat-gateway' && target.id === id);
    const destinations = common(there, rangesTo(own, isAttached(attached))).map(format);
    return destinations.length ? [{ publicIp, destinations }] : [];
  });
}

function isAttached(attached: ReadonlySet<string>): (target: RouteTarget) => boolean {
  return (target) => target.kind === 'internet-gateway' && attached.has(target.id);
}

function rangesTo(routes: readonly Route[], isWanted: (target: RouteTarget) => boolean): readonly Range[] {
  const blocks = routes.map(({ destination, target }) => ({ ...parseCidr(destination), target }));
  const edges = [...new Set(blocks.flatMap(({ first, last }) => [first, last + 1]))].sort((a, b) => a - b);
  const ranges: { first: number; last: number }[] = [];
  for (const [index, first] of edges.entries()) {
    const next = edges[index + 1];
    if (next === undefined) break;
    const covering = blocks.filter((block) => block.first <= first && block.last >= next - 1);
    const best = covering.reduce<(typeof blocks)[number] | undefined>(
      (longest, block) => (longest && longest.prefixLength >= block.prefixLength ? longest : block),
      undefined,
    );
    if (!best || !isWanted(best.target)) continue;
    const previous = ranges.at(-1);
    if (previous?.last === first - 1) previous.last = next - 1;
    else ranges.push({ first, last: next - 1 });
  }
  return ranges;
}

/** What both have, in order. */
function common(some: readonly Range[], others: readonly Range[]): readonly Range[] {
  return some.flatMap((one) =>
    others.flatMap((other) => {
      const [first, last] = [Math.max(one.first, other.first), Math.min(one.last, other.last)];
      return first <= last ? [{ first, last }] : [];
    }),
  );
}

function format({ first, last }: Range): string {
  return `${formatIpv4(first)}-${formatIpv4(last)}`;
}
