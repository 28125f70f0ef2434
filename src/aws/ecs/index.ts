import type { Clock, Logger, Random } from '#base';
import type { NodeRecords } from '#node';
import type { Reconciler } from '#reconcile';
import type { Store } from '#store';
import type { Identities, SessionCredentials } from '../auth/index.ts';
import type { VpcNetwork } from '../ec2/index.ts';
import { defineService, type ServiceDefinition } from '../service.ts';
import { accountSettingHandlers } from './account-settings.ts';
import { capacityProviderHandlers } from './capacity-providers.ts';
import { clusterHandlers } from './clusters.ts';
import { taskCredentials, type TaskRole } from './credentials.ts';
import { NodeUse } from './node-use.ts';
import { permissions } from './permissions.ts';
import { placementReconciler } from './placement.ts';
import { serviceReconciler } from './service-scheduler.ts';
import { serviceHandlers } from './services.ts';
import { ecsCollections, type EcsState } from './state.ts';
import { taggingHandlers } from './tagging.ts';
import { TaskGroups } from './task-groups.ts';
import { taskDefinitionHandlers } from './task-definitions.ts';
import { taskReconciler } from './task-lifecycle.ts';
import { taskHandlers } from './tasks.ts';

export type { TaskRole } from './credentials.ts';

export interface EcsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: VpcNetwork;
  readonly identities: Identities;
  /** `nodeRecords(store)`. */
  readonly nodes: NodeRecords;
  /** Ends what follows the store. */
  readonly signal: AbortSignal;
}

export interface Ecs {
  readonly definition: ServiceDefinition;
  /** To be run by the one loop; each may run again at any time. */
  readonly reconcilers: readonly Reconciler[];
  /** Credentials of a task's role: see `credentials.ts` for what it throws. */
  taskCredentials(taskArn: string, role: TaskRole): Promise<SessionCredentials>;
}

/** Amazon ECS on Fargate capacity. */
export function createEcs(options: EcsOptions): Ecs {
  const { identities, ...rest } = options;
  const state: EcsState = {
    ...rest,
    ...ecsCollections(options.store),
    taskGroups: new TaskGroups(options),
    nodeUse: new NodeUse(options),
  };
  const definition = defineService<typeof import('@aws-sdk/client-ecs')>({
    name: 'ecs',
    signingNames: ['ecs'],
    eventSource: 'ecs.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-ecs'),
    idempotency: { RunTask: 'ConflictException', CreateService: 'InvalidParameterException' },
    handlers: {
      ...clusterHandlers(state),
      ...accountSettingHandlers(state),
      ...capacityProviderHandlers(),
      ...taskDefinitionHandlers(state),
      ...taskHandlers(state),
      ...serviceHandlers(state),
      ...taggingHandlers(state),
    },
    permissions,
  });
  return {
    definition,
    reconcilers: [placementReconciler(state), taskReconciler(state), serviceReconciler(state)],
    taskCredentials: (taskArn, role) => taskCredentials(state, identities, taskArn, role),
  };
}
