import type { InstanceTypeOffering } from '@aws-sdk/client-ec2';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { paginate } from './describe.ts';
import { applyFilters } from './filters.ts';
import { machineArchitecture } from './images.ts';
import { findInstanceType, instanceTypes } from './instance-types.ts';
import type { Instances } from './instances.ts';
import { mustGet } from './kinds.ts';
import { allIn } from './scope.ts';
import { zoneId, zonesOf } from './zones.ts';

/** Where which types can be had, and how instances of them use the processor. */
export function instanceOfferingHandlers(instances: Pick<Instances, 'records'>) {
  return {
    /** Types that this machine can run, in each of its zones. */
    DescribeInstanceTypeOfferings(input, { region }) {
      const LocationType = input.LocationType ?? 'region';
      const rows = instanceTypes()
        .filter(({ architecture }) => architecture === machineArchitecture)
        .flatMap(({ name }) =>
          placesOf(LocationType, region).map((location) => ({ id: `${name} ${location}`, name, location, tags: {} })),
        )
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      const filtered = applyFilters(rows, input.Filters, {
        'instance-type': ({ name }) => name,
        location: ({ location }) => location,
      });
      const page = paginate(filtered, { maxResults: input.MaxResults, nextToken: input.NextToken });
      return {
        InstanceTypeOfferings: page.items.map(({ name, location }) => ({
          InstanceType: name as NonNullable<InstanceTypeOffering['InstanceType']>, // a name of `instance-types.ts`
          LocationType,
          Location: location,
        })),
        NextToken: page.nextToken,
      };
    },

    /** Burstable instances are never held to a credit. */
    async DescribeInstanceCreditSpecifications(input, context) {
      const all = input.InstanceIds?.length
        ? await Promise.all(
            input.InstanceIds.map(async (id) => (await mustGet(instances.records, context, 'instance', id)).value),
          )
        : (await instances.records.list(allIn(context))).map(({ value }) => value);
      const burstable = all.filter(({ instanceType }) => findInstanceType(instanceType)?.isBurstable);
      const page = paginate(burstable, { maxResults: input.MaxResults, nextToken: input.NextToken });
      return {
        InstanceCreditSpecifications: page.items.map(({ id }) => ({ InstanceId: id, CpuCredits: 'unlimited' })),
        NextToken: page.nextToken,
      };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}

function placesOf(kind: string, region: string): readonly string[] {
  switch (kind) {
    case 'region':
      return [region];
    case 'availability-zone':
      return zonesOf(region);
    case 'availability-zone-id':
      return zonesOf(region).map(zoneId);
    default:
      throw new AwsError('InvalidParameterValue', `Value (${kind}) for parameter locationType is invalid.`);
  }
}
