import type { NetworkConfiguration } from '@aws-sdk/client-ecs';
import { AwsError } from '../errors.ts';
import { invalidParameter, type Scope } from './names.ts';
import type { TaskNetwork } from './records.ts';
import type { EcsState } from './state.ts';

/** The network a request asks for, checked: subnets and groups that exist and belong to one VPC. */
export async function taskNetwork(
  state: EcsState,
  scope: Scope,
  configuration: NetworkConfiguration | undefined,
): Promise<TaskNetwork> {
  const vpc = configuration?.awsvpcConfiguration;
  if (!vpc) throw invalidParameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  const { subnets = [], securityGroups = [] } = vpc;
  if (!subnets.length) throw invalidParameter('subnets can not be empty.');
  if (subnets.length > 16) throw invalidParameter('subnets can have at most 16 items.');
  if (securityGroups.length > 5) throw invalidParameter('securityGroup can have at most 5 items.');
  await state.network.ensureDefaultVpc(scope);
  const subnetRecords = await lookUp('subnet', subnets, async (id) => state.network.subnet(scope, id));
  const groupRecords = await lookUp(
    'security group',
    securityGroups,
    async (id) => (await state.network.securityGroups(scope, [id]))[0]!,
  );
  const vpcs = new Set([...subnetRecords, ...groupRecords].map(({ vpcId }) => vpcId));
  if (vpcs.size > 1) throw invalidParameter('The subnets and security groups must belong to the same VPC.');
  return {
    subnetIds: [...new Set(subnets)],
    securityGroupIds: [...new Set(securityGroups)],
    assignPublicIp: vpc.assignPublicIp === 'ENABLED',
  };
}

async function lookUp<T>(what: string, ids: readonly string[], find: (id: string) => Promise<T>): Promise<T[]> {
  return Promise.all(
    ids.map(async (id) => {
      try {
        return await find(id);
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        throw invalidParameter(
          `Error retrieving ${what} information for [${id}]: ${error.message} (ErrorCode: ${error.code})`,
        );
      }
    }),
  );
}

export function toNetworkConfiguration({
  subnetIds,
  securityGroupIds,
  assignPublicIp,
}: TaskNetwork): NetworkConfiguration {
  return {
    awsvpcConfiguration: {
      subnets: [...subnetIds],
      securityGroups: [...securityGroupIds],
      assignPublicIp: assignPublicIp ? 'ENABLED' : 'DISABLED',
    },
  };
}
