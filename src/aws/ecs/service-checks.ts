import type { CreateServiceRequest, DeploymentConfiguration, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import { invalidParameter, notSupported } from './names.ts';
import type { ServiceRecord } from './records.ts';

/** What the model has and our services cannot do yet; asking for it is refused, never ignored. */
export function checkSupported(input: CreateServiceRequest | UpdateServiceRequest): void {
  if (input.loadBalancers?.length) throw notSupported('loadBalancers of a service');
  if (input.serviceRegistries?.length) throw notSupported('serviceRegistries of a service');
  if (input.serviceConnectConfiguration?.enabled) throw notSupported('Service Connect');
  if (input.volumeConfigurations?.length) throw notSupported('volumeConfigurations of a service');
  if (input.vpcLatticeConfigurations?.length) throw notSupported('VPC Lattice');
  if (input.deploymentController && input.deploymentController.type !== 'ECS')
    throw notSupported(`the deployment controller ${input.deploymentController.type}`);
  if (input.availabilityZoneRebalancing === 'ENABLED') throw notSupported('availability zone rebalancing');
  const { strategy, alarms, lifecycleHooks } = input.deploymentConfiguration ?? {};
  if (strategy && strategy !== 'ROLLING') throw notSupported(`the deployment strategy ${strategy}`);
  if (alarms?.enable) throw notSupported('alarms of a deployment');
  if (lifecycleHooks?.length) throw notSupported('lifecycle hooks of a deployment');
}

/** The configuration with ECS's defaults for a REPLICA service, over what was there. Throws for percentages that can never make progress. */
export function deploymentConfiguration(
  given: DeploymentConfiguration | undefined,
  before?: ServiceRecord['deploymentConfiguration'],
): ServiceRecord['deploymentConfiguration'] {
  const {
    maximumPercent = before?.maximumPercent ?? 200,
    minimumHealthyPercent = before?.minimumHealthyPercent ?? 100,
  } = given ?? {};
  if (maximumPercent < 100 && maximumPercent < minimumHealthyPercent)
    throw invalidParameter('maximumPercent must be greater than minimumHealthyPercent.');
  if (maximumPercent < 0 || maximumPercent > 200)
    throw invalidParameter(`maximumPercent must be between 0 and 200, not ${maximumPercent}.`);
  if (minimumHealthyPercent < 0 || minimumHealthyPercent > 100)
    throw invalidParameter(`minimumHealthyPercent must be between 0 and 100, not ${minimumHealthyPercent}.`);
  if (maximumPercent <= 100 && minimumHealthyPercent >= maximumPercent)
    throw invalidParameter('When maximumPercent <= 100, minimumHealthyPercent has to be < maximumPercent.');
  return {
    strategy: 'ROLLING',
    deploymentCircuitBreaker: given?.deploymentCircuitBreaker ??
      before?.deploymentCircuitBreaker ?? { enable: false, rollback: false },
    maximumPercent,
    minimumHealthyPercent,
  };
}

export function checkServiceName(name: string | undefined): string {
  if (name && /^[A-Za-z0-9_-]{1,255}$/.test(name)) return name;
  throw invalidParameter(
    'Invalid service name. Service names may contain up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens.',
  );
}

export function checkDesiredCount(count: number | undefined): void {
  if (count !== undefined && (count < 0 || count > 5000 || !Number.isInteger(count)))
    throw invalidParameter(`Invalid desired count ${count}: it must be between 0 and 5000.`);
}
