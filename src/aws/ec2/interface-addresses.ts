import type { Random } from '#base';
import {
  cidrContains,
  addressAt,
  isUsableAddress,
  parseCidr,
  recordId,
  usableAddressCount,
  usableAddresses,
  type Ipv4,
  type NetworkInterface,
  type NetworkRecords,
  type Subnet,
} from '#network';

/** How many addresses of the subnet are still to be had. */
export async function freeAddresses(records: NetworkRecords, subnet: Subnet): Promise<number> {
  return usableAddressCount(subnet.cidr) - (await taken(records, subnet)).size;
}

async function taken(records: NetworkRecords, subnet: Subnet): Promise<Set<Ipv4>> {
  const prefix = `${subnet.tenant}/${subnet.vpcId}/`;
  const reserved = await records.privateAddresses.list(prefix);
  return new Set(reserved.map(({ id }) => id.slice(prefix.length)).filter((ip) => cidrContains(subnet.cidr, ip)));
}

/** The interface that has an address in a VPC, whosever it is: found by its reservation, so that no interface but that one is read. */
export async function interfaceAt(
  records: NetworkRecords,
  vpcId: string,
  privateIp: Ipv4,
): Promise<NetworkInterface | undefined> {
  const vpc = (await records.vpcs.list()).find(({ value }) => value.id === vpcId)?.value;
  const reserved = vpc && (await records.privateAddresses.get(`${vpc.tenant}/${vpcId}/${privateIp}`));
  if (!reserved) return undefined;
  return (await records.networkInterfaces.get(recordId({ ...vpc, id: reserved.value.networkInterfaceId })))?.value;
}

/** A free address of the subnet drawn at random; undefined when there is none. The reservation decides whether it stays free. */
export async function drawPrivateAddress(
  records: NetworkRecords,
  random: Random,
  subnet: Subnet,
): Promise<Ipv4 | undefined> {
  return draw(random, subnet.cidr, {
    isTaken: async (ip) => Boolean(await records.privateAddresses.get(`${subnet.tenant}/${subnet.vpcId}/${ip}`)),
    taken: () => taken(records, subnet),
  });
}

/** A free public address of the pool drawn at random; undefined when there is none. */
export async function drawPublicAddress(
  records: NetworkRecords,
  random: Random,
  publicCidr: string,
): Promise<Ipv4 | undefined> {
  return draw(random, publicCidr, {
    isTaken: async (ip) => Boolean(await records.publicAddresses.get(ip)),
    taken: async () => new Set((await records.publicAddresses.list()).map(({ id }) => id)),
  });
}

const GUESSES = 6;

interface Reservations {
  isTaken(ip: Ipv4): Promise<boolean>;
  taken(): Promise<ReadonlySet<Ipv4>>;
}

/** Guesses first, because reading every reservation is dear in a large block and needless in an empty one. */
async function draw(random: Random, cidr: string, reservations: Reservations): Promise<Ipv4 | undefined> {
  const { size } = parseCidr(cidr);
  for (let guess = 0; guess < GUESSES; guess++) {
    const ip = addressAt(cidr, Math.floor(random.fraction() * size));
    if (isUsableAddress(cidr, ip) && !(await reservations.isTaken(ip))) return ip;
  }
  const used = await reservations.taken();
  return usableAddresses(cidr).find((ip) => !used.has(ip));
}
