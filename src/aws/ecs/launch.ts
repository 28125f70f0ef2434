import type { CapacityProviderStrategyItem, LaunchType } from '@aws-sdk/client-ecs';
import { checkStrategy } from './capacity-providers.ts';
import { clientException, invalidParameter } from './names.ts';
import type { ClusterRecord, TaskDefinitionRecord } from './records.ts';

/** What kind of capacity a request asks for. */
export interface Launch {
  readonly launchType: LaunchType;
  /** Set when capacity comes from a strategy. */
  readonly strategy?: readonly CapacityProviderStrategyItem[];
}

/** Launch type, strategy, or the cluster's default strategy, in that order; without any of them, container instances. */
export function launchOf(
  input: {
    readonly launchType?: LaunchType | undefined;
    readonly capacityProviderStrategy?: readonly CapacityProviderStrategyItem[] | undefined;
  },
  cluster: ClusterRecord,
): Launch {
  if (input.launchType && input.capacityProviderStrategy?.length)
    throw invalidParameter(
      'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
    );
  if (input.launchType) return { launchType: input.launchType };
  const strategy = input.capacityProviderStrategy?.length
    ? input.capacityProviderStrategy
    : cluster.defaultCapacityProviderStrategy;
  if (!strategy.length) return { launchType: 'EC2' };
  checkStrategy(strategy, cluster.capacityProviders);
  return { launchType: 'FARGATE', strategy };
}

/** Throws unless the definition is ACTIVE and fit for the launch type. */
export function checkLaunchable({ definition }: TaskDefinitionRecord, launchType: LaunchType): void {
  if (definition.status !== 'ACTIVE') throw clientException('TaskDefinition is inactive');
  if (launchType !== 'FARGATE') return;
  const declared = definition.requiresCompatibilities?.length
    ? definition.requiresCompatibilities
    : definition.compatibilities;
  if (!declared?.includes('FARGATE') || !definition.compatibilities?.includes('FARGATE'))
    throw invalidParameter('Task definition does not support launch_type FARGATE.');
}
