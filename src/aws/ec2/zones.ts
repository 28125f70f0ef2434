import type { Handlers } from '../service.ts';
import { AwsError } from '../errors.ts';
import { applyFilters } from './filters.ts';

/** Letters of the zones that every region has. */
export const zoneLetters = ['a', 'b', 'c'] as const;

export function zonesOf(region: string): readonly string[] {
  return zoneLetters.map((letter) => region + letter);
}

/** `us-east-1a` is zone `use1-az1`: direction words shorten to their first letters. */
export function zoneId(zone: string): string {
  const region = zone.slice(0, -1);
  const [area = '', ...rest] = region.split('-');
  const number = rest.pop() ?? '1';
  const shorten: { readonly [word: string]: string } = {
    northeast: 'ne',
    northwest: 'nw',
    southeast: 'se',
    southwest: 'sw',
  };
  return `${area}${rest.map((word) => shorten[word] ?? word[0]).join('')}${number}-az${zone.charCodeAt(zone.length - 1) - 96}`;
}

const regions = [
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-south-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'ca-central-1',
  'eu-central-1',
  'eu-north-1',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'sa-east-1',
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
];

/** Attributes of the account in the words of DescribeAccountAttributes. */
const accountAttributes: { readonly [name: string]: readonly string[] } = {
  'supported-platforms': ['VPC'],
  'max-instances': ['20'],
  'vpc-max-security-groups-per-interface': ['5'],
  'max-elastic-ips': ['5'],
  'vpc-max-elastic-ips': ['5'],
};

export function zoneHandlers(
  defaultVpcId: (scope: { account: string; region: string }) => Promise<string | undefined>,
) {
  return {
    DescribeAvailabilityZones(input, { region }) {
      const zones = zonesOf(region).map((name) => ({ name, id: zoneId(name), tags: {} }));
      for (const wanted of input.ZoneNames ?? [])
        if (!zones.some(({ name }) => name === wanted))
          throw new AwsError('InvalidParameterValue', `Invalid availability zone: [${wanted}]`);
      const named = zones.filter(
        ({ name, id }) =>
          (!input.ZoneNames?.length || input.ZoneNames.includes(name)) &&
          (!input.ZoneIds?.length || input.ZoneIds.includes(id)),
      );
      const rows = applyFilters(named, input.Filters, {
        'zone-name': ({ name }) => name,
        'zone-id': ({ id }) => id,
        'region-name': () => region,
        'group-name': () => `${region}-zg-1`,
        'network-border-group': () => region,
        'opt-in-status': () => 'opt-in-not-required',
        state: () => 'available',
        'zone-type': () => 'availability-zone',
      });
      return {
        AvailabilityZones: rows.map(({ name, id }) => ({
          State: 'available',
          OptInStatus: 'opt-in-not-required',
          Messages: [],
          RegionName: region,
          ZoneName: name,
          ZoneId: id,
          GroupName: `${region}-zg-1`,
          NetworkBorderGroup: region,
          ZoneType: 'availability-zone',
        })),
      };
    },
    DescribeRegions(input, { region }) {
      const names = [...new Set([...regions, region])].sort();
      for (const wanted of input.RegionNames ?? [])
        if (!names.includes(wanted)) throw new AwsError('InvalidParameterValue', `Invalid region: [${wanted}]`);
      const rows = applyFilters(
        names
          .filter((name) => !input.RegionNames?.length || input.RegionNames.includes(name))
          .map((name) => ({ name, tags: {} })),
        input.Filters,
        {
          'region-name': ({ name }) => name,
          endpoint: ({ name }) => `ec2.${name}.amazonaws.com`,
          'opt-in-status': () => 'opt-in-not-required',
        },
      );
      return {
        Regions: rows.map(({ name }) => ({
          RegionName: name,
          Endpoint: `ec2.${name}.amazonaws.com`,
          OptInStatus: 'opt-in-not-required',
        })),
      };
    },
    async DescribeAccountAttributes(input, context) {
      const all = { ...accountAttributes, 'default-vpc': [(await defaultVpcId(context)) ?? 'none'] };
      const names: readonly string[] = input.AttributeNames?.length ? input.AttributeNames : Object.keys(all);
      return {
        AccountAttributes: Object.entries(all)
          .filter(([name]) => names.includes(name))
          .map(([AttributeName, values]) => ({
            AttributeName,
            AttributeValues: values.map((AttributeValue) => ({ AttributeValue })),
          })),
      };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
