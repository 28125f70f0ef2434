import type { Collection, Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { keyIn, type Scope } from './scope.ts';

/** The kinds of resource: how their ids begin, and how the API complains of an id that is wrong or unknown. */
export const kinds = {
  vpc: { prefix: 'vpc', error: 'InvalidVpcID', noun: 'vpc ID' },
  subnet: { prefix: 'subnet', error: 'InvalidSubnetID', noun: 'subnet ID' },
  'security-group': { prefix: 'sg', error: 'InvalidGroup', noun: 'security group' },
  'security-group-rule': { prefix: 'sgr', error: 'InvalidSecurityGroupRuleId', noun: 'security group rule ID' },
  'network-interface': { prefix: 'eni', error: 'InvalidNetworkInterfaceID', noun: 'networkInterface ID' },
  'internet-gateway': { prefix: 'igw', error: 'InvalidInternetGatewayID', noun: 'internetGateway ID' },
  'route-table': { prefix: 'rtb', error: 'InvalidRouteTableID', noun: 'routeTable ID' },
  instance: { prefix: 'i', error: 'InvalidInstanceID', noun: 'instance ID' },
  'launch-template': { prefix: 'lt', error: 'InvalidLaunchTemplateId', noun: 'launch template ID' },
  'network-acl': { prefix: 'acl', error: 'InvalidNetworkAclID', noun: 'networkAcl ID' },
  natgateway: { prefix: 'nat', error: 'InvalidNatGatewayID', noun: 'natGateway ID' },
  'elastic-ip': { prefix: 'eipalloc', error: 'InvalidAllocationID', noun: 'allocation ID' },
} as const;

/** The word the API uses as `ResourceType` in tags and in ARNs. */
export type ResourceKind = keyof typeof kinds;

/** The error for an id that does not exist or is malformed. */
export function notFound(kind: ResourceKind, id: string): AwsError {
  const { prefix, error, noun } = kinds[kind];
  if (!id.startsWith(`${prefix}-`))
    return new AwsError(
      kind === 'security-group' ? 'InvalidGroupId.Malformed' : `${error}.Malformed`,
      `Invalid id: "${id}" (expecting "${prefix}-...")`,
    );
  return new AwsError(`${error}.NotFound`, `The ${noun} '${id}' does not exist`);
}

/** Reads a record that the caller named; throws the kind's own NotFound. */
export async function mustGet<T>(
  collection: Collection<T>,
  scope: Scope,
  kind: ResourceKind,
  id: string | undefined,
): Promise<Versioned<T>> {
  if (!id) throw new AwsError('MissingParameter', `The request must contain the parameter for the ${kinds[kind].noun}`);
  const seen = await collection.get(keyIn(scope, id));
  if (!seen) throw notFound(kind, id);
  return seen;
}
