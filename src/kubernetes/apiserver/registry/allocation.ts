/** Service addresses and node ports, each a key of the store taken in the transaction that writes the service: no bitmap to repair, none lost in a crash. */
import type { Compare, Operation } from '#store';
import type { Effects, WriteContext } from '../resource.ts';

/** Upstream's default `--service-node-port-range`. */
const firstNodePort = 30_000;
const nodePortCount = 2768;
/** Draws before the range is walked from end to end. */
const DRAWS = 32;

export interface Reservations {
  /** Takes this address; undefined when it is taken or not of the range. */
  address(ip: string): Promise<string | undefined>;
  anyAddress(): Promise<string | undefined>;
  nodePort(port: number): Promise<number | undefined>;
  anyNodePort(): Promise<number | undefined>;
  /** Gives back `service-ips/<ip>` or `node-ports/<port>`. */
  release(path: string): void;
  effects(): Effects;
}

/** Collects what one write takes and gives back. `owner` is written into each reservation. */
export function reservations({ serviceCidr, allocations }: WriteContext, owner: string): Reservations {
  const compare: Compare[] = [];
  const success: Operation[] = [];
  const range = readCidr(serviceCidr);
  const mine = new Set<string>();

  async function take(path: string): Promise<boolean> {
    if (mine.has(path) || (await allocations.isTaken(path))) return false;
    mine.add(path);
    const key = allocations.keyOf(path);
    compare.push({ key, field: 'version', is: '=', value: 0 });
    success.push({ kind: 'put', key, value: Buffer.from(JSON.stringify({ owner })) });
    return true;
  }

  /** The first free of `count` numbers: at random, then in order. */
  async function draw(count: number, takeIt: (index: number) => Promise<boolean>): Promise<number | undefined> {
    for (let attempt = 0; attempt < DRAWS; attempt++) {
      const index = allocations.pick(count);
      if (await takeIt(index)) return index;
    }
    for (let index = 0; index < count; index++) if (await takeIt(index)) return index;
    return undefined;
  }

  return {
    async address(ip) {
      const number = readAddress(ip);
      if (number === undefined || number <= range.first || number >= range.first + range.size - 1) return undefined;
      return (await take(`service-ips/${ip}`)) ? ip : undefined;
    },
    async anyAddress() {
      // The lower part of a range is left to addresses that are asked for by name, as upstream does.
      const reserved = Math.min(256, Math.max(16, range.size >> 4));
      const from = range.size > 2 * reserved ? reserved : 1;
      const index = await draw(range.size - from - 1, (index) =>
        take(`service-ips/${writeAddress(range.first + from + index)}`),
      );
      return index === undefined ? undefined : writeAddress(range.first + from + index);
    },
    nodePort: async (port) => ((await take(`node-ports/${port}`)) ? port : undefined),
    async anyNodePort() {
      const index = await draw(nodePortCount, (index) => take(`node-ports/${firstNodePort + index}`));
      return index === undefined ? undefined : firstNodePort + index;
    },
    release(path) {
      success.push({ kind: 'delete', key: allocations.keyOf(path) });
    },
    effects: () => ({ compare, success }),
  };
}

function readCidr(cidr: string): { readonly first: number; readonly size: number } {
  const [address = '', bits = '32'] = cidr.split('/');
  const first = readAddress(address);
  if (first === undefined) throw new Error(`the service range is no IPv4 range: ${cidr}`);
  return { first, size: 2 ** (32 - Number(bits)) };
}

function readAddress(ip: string): number | undefined {
  const parts = ip.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((number, part) => number * 256 + Number(part), 0);
}

function writeAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
