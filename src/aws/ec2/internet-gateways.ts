import type { InternetGateway as ApiGateway } from '@aws-sdk/client-ec2';
import type { InternetGateway } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { select } from './describe.ts';
import type { FilterFields } from './filters.ts';
import { mustGet } from './kinds.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { tagsFor, toTags } from './tags.ts';
import type { Uses } from './uses.ts';

const fields: FilterFields<InternetGateway> = {
  'internet-gateway-id': (gateway) => gateway.id,
  'attachment.vpc-id': (gateway) => gateway.vpcId,
  'attachment.state': (gateway) => (gateway.vpcId ? 'available' : undefined),
  'owner-id': (gateway) => gateway.tenant,
};

function toGateway(gateway: InternetGateway): ApiGateway {
  return {
    InternetGatewayId: gateway.id,
    OwnerId: gateway.tenant,
    // EC2 says "available" here, outside the enumeration that the SDK's type gives for other attachments.
    Attachments: gateway.vpcId ? [{ State: 'available' as 'attached', VpcId: gateway.vpcId }] : [],
    Tags: toTags(gateway.tags),
  };
}

export function internetGatewayHandlers(state: Ec2State, uses: Uses) {
  const { records, random, clock, store } = state;

  /** Interfaces with a public address would lose it with the gateway. */
  async function hasPublicAddresses(scope: Scope, vpcId: string): Promise<boolean> {
    const interfaces = await records.networkInterfaces.list(allIn(scope));
    return interfaces.some(({ value }) => value.vpcId === vpcId && value.publicIp);
  }

  return {
    async CreateInternetGateway(input, context) {
      const gateway: InternetGateway = {
        id: newId(random, 'igw'),
        tenant: context.account,
        region: context.region,
        tags: tagsFor('internet-gateway', input.TagSpecifications),
        createdAt: clock.now(),
      };
      await records.internetGateways.create(keyIn(context, gateway.id), gateway);
      return { InternetGateway: toGateway(gateway) };
    },

    async DescribeInternetGateways(input, context) {
      const page = await select(records.internetGateways, context, {
        kind: 'internet-gateway',
        fields,
        selection: {
          ids: input.InternetGatewayIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { InternetGateways: page.items.map(toGateway), NextToken: page.nextToken };
    },

    async AttachInternetGateway(input, context) {
      const vpc = await mustGet(records.vpcs, context, 'vpc', input.VpcId);
      await uses.add(context, vpc.value.id, async () => {
        const gateway = await mustGet(records.internetGateways, context, 'internet-gateway', input.InternetGatewayId);
        if (gateway.value.vpcId)
          throw new AwsError(
            'Resource.AlreadyAssociated',
            `resource ${gateway.value.id} is already attached to network ${gateway.value.vpcId}`,
          );
        const gateways = await records.internetGateways.list(allIn(context));
        if (gateways.some(({ value }) => value.vpcId === vpc.value.id))
          throw new AwsError(
            'InvalidParameterValue',
            `Network ${vpc.value.id} already has an internet gateway attached`,
          );
        return {
          compare: [records.vpcs.ifPresent(vpc.id), records.internetGateways.ifUnchanged(gateway)],
          success: [records.internetGateways.put(gateway.id, { ...gateway.value, vpcId: vpc.value.id })],
        };
      });
      return {};
    },

    async DetachInternetGateway(input, context) {
      const gateway = await mustGet(records.internetGateways, context, 'internet-gateway', input.InternetGatewayId);
      const { vpcId, ...rest } = gateway.value;
      if (!vpcId || vpcId !== input.VpcId)
        throw new AwsError(
          'Gateway.NotAttached',
          `resource ${gateway.value.id} is not attached to network ${input.VpcId}`,
        );
      if (await hasPublicAddresses(context, vpcId))
        throw new AwsError(
          'DependencyViolation',
          `Network ${vpcId} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
        );
      await records.internetGateways.replace(gateway, rest);
      return {};
    },

    async DeleteInternetGateway(input, context) {
      const gateway = await mustGet(records.internetGateways, context, 'internet-gateway', input.InternetGatewayId);
      const refusal = `The internetGateway '${gateway.value.id}' has dependencies and cannot be deleted.`;
      if (gateway.value.vpcId) throw new AwsError('DependencyViolation', refusal);
      const { succeeded } = await store.txn({
        compare: [records.internetGateways.ifUnchanged(gateway)],
        success: [records.internetGateways.remove(gateway.id)],
      });
      if (!succeeded) throw new AwsError('DependencyViolation', refusal);
      return {};
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
