import type { Subnet } from '#network';
import type { Node } from '#node';
import type { Use } from './node-use.ts';
import type { TaskRecord } from './records.ts';

export interface Choice {
  readonly node: Node;
  readonly subnet: Subnet;
}

interface Room {
  readonly node: Node;
  cpuUnits: number;
  memoryMiB: number;
}

/**
 * The room on all nodes, and where copies are, during one pass of placement. What it gives is taken at once, so that one pass never
 * promises the same room twice and spreads what it places.
 */
export class Capacity {
  readonly #rooms: readonly Room[];
  /** Living copies by group and zone. */
  readonly #copies = new Map<string, number>();

  /** `tasks` are those of the groups that wait. */
  constructor(nodes: readonly Node[], usedOf: (nodeId: string) => Use, tasks: readonly TaskRecord[]) {
    for (const task of tasks)
      if (task.placement && task.desiredStatus === 'RUNNING') this.#count(task, task.placement.zone);
    this.#rooms = nodes.map((node) => {
      const used = usedOf(node.id);
      return { node, cpuUnits: node.cpuUnits - used.cpuUnits, memoryMiB: node.memoryMiB - used.memoryMiB };
    });
  }

  /**
   * A node with room in a zone that one of the subnets is in: the zone with the fewest copies, in it the node with the most memory free.
   * Of several subnets in that zone the first. The room is taken.
   */
  choose(task: TaskRecord, subnets: readonly Subnet[]): Choice | 'no-nodes' | 'no-room' {
    const cpuUnits = Number(task.cpu);
    const memoryMiB = Number(task.memory);
    const copiesIn = (zone: string) => this.#copies.get(copiesKey(task, zone)) ?? 0;
    const candidates = subnets.flatMap((subnet) =>
      this.#rooms.filter(({ node }) => subnet.zone.endsWith(node.zoneLetter)).map((room) => ({ subnet, room })),
    );
    if (!candidates.length) return 'no-nodes';
    const [best] = candidates
      .filter(({ room }) => room.cpuUnits >= cpuUnits && room.memoryMiB >= memoryMiB)
      .sort((a, b) => copiesIn(a.subnet.zone) - copiesIn(b.subnet.zone) || b.room.memoryMiB - a.room.memoryMiB);
    if (!best) return 'no-room';
    best.room.cpuUnits -= cpuUnits;
    best.room.memoryMiB -= memoryMiB;
    this.#count(task, best.subnet.zone);
    return { node: best.room.node, subnet: best.subnet };
  }

  /** Returns room that was not used after all. */
  giveBack(node: Node, { cpu, memory }: TaskRecord): void {
    const room = this.#rooms.find((candidate) => candidate.node === node);
    if (!room) return;
    room.cpuUnits += Number(cpu);
    room.memoryMiB += Number(memory);
  }

  #count(task: TaskRecord, zone: string): void {
    const key = copiesKey(task, zone);
    this.#copies.set(key, (this.#copies.get(key) ?? 0) + 1);
  }
}

function copiesKey({ account, region, cluster, group }: TaskRecord, zone: string): string {
  return [account, region, cluster, group, zone].join(' ');
}
