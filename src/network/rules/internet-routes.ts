import { formatIpv4, parseCidr } from '../cidr.ts';
import type { Route, RouteTable } from '../model.ts';

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

/**
 * The destinations that a route table sends to an internet gateway in `attached`, as disjoint ranges `first-last` in order: the longest prefix
 * decides for each address, so a more specific route to elsewhere cuts a hole.
 */
export function internetRanges(routes: readonly Route[], attached: ReadonlySet<string>): string[] {
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
    if (best?.target.kind !== 'internet-gateway' || !attached.has(best.target.id)) continue;
    const previous = ranges.at(-1);
    if (previous?.last === first - 1) previous.last = next - 1;
    else ranges.push({ first, last: next - 1 });
  }
  return ranges.map(({ first, last }) => `${formatIpv4(first)}-${formatIpv4(last)}`);
}
