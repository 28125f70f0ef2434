import { cidrContains, formatIpv4, parseIpv4 } from '../cidr.ts';
import type { Cidr, Ipv4 } from '../model.ts';
import type { DnsQuestion, DnsZone } from './zone.ts';

const TTL_S = 60;

/** The domain of private names: `ec2.internal` in us-east-1, `<region>.compute.internal` elsewhere (VPC User Guide, "DNS attributes"). */
export function internalDomain(region: string): string {
  return region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`;
}

/** `ip-172-31-5-9.ec2.internal` */
export function privateDnsName(address: Ipv4, region: string): string {
  return `ip-${address.replaceAll('.', '-')}.${internalDomain(region)}`;
}

/** Private names of every address of a VPC, forward and reverse. */
export function privateNamesZone(vpc: { readonly cidr: Cidr; readonly region: string }): DnsZone {
  const domain = internalDomain(vpc.region);
  return {
    answer(question) {
      if (question.name === domain || question.name.endsWith(`.${domain}`))
        return answerForward(question, domain, vpc.cidr);
      const address = reversedAddress(question.name);
      if (!address || !cidrContains(vpc.cidr, address)) return undefined;
      const name = privateDnsName(address, vpc.region);
      return question.type === 'PTR' ? [{ type: 'PTR', name: question.name, ttl: TTL_S, data: name }] : [];
    },
  };
}

function answerForward({ name, type }: DnsQuestion, domain: string, cidr: Cidr): ReturnType<DnsZone['answer']> {
  if (name === domain) return [];
  const label = /^ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(name.slice(0, -domain.length - 1));
  const octets = label?.slice(1).map(Number);
  if (!octets?.every((octet) => octet < 256)) return 'unknown';
  const address = octets.join('.');
  if (!cidrContains(cidr, address)) return 'unknown';
  return type === 'A' ? [{ type: 'A', name, ttl: TTL_S, data: address }] : [];
}

/** The address of `9.5.31.172.in-addr.arpa`; undefined for any other name. */
export function reversedAddress(name: string): Ipv4 | undefined {
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})\.in-addr\.arpa$/.exec(name);
  const octets = match?.[1]?.split('.').reverse();
  if (!octets?.every((octet) => Number(octet) < 256)) return undefined;
  return formatIpv4(parseIpv4(octets.map(Number).join('.')));
}
