import type {
  CapacityProviderStrategyItem,
  ClusterConfiguration,
  ClusterSetting,
  ContainerDefinition,
  DeploymentConfiguration,
  DeploymentRolloutState,
  HealthStatus,
  LaunchType,
  PropagateTags,
  TaskDefinition,
  TaskOverride,
  TaskStopCode,
} from '@aws-sdk/client-ecs';
import type { Tags } from '../tags.ts';
import type { ClusterScope } from './names.ts';

/** `ecs/clusters/<account>/<region>/<name>`. A deleted cluster stays, `INACTIVE`, until one of its name is made. */
export interface ClusterRecord {
  readonly name: string;
  readonly status: 'ACTIVE' | 'INACTIVE';
  readonly settings: readonly ClusterSetting[];
  readonly configuration?: ClusterConfiguration;
  readonly capacityProviders: readonly string[];
  readonly defaultCapacityProviderStrategy: readonly CapacityProviderStrategyItem[];
  readonly tags: Tags;
  readonly createdAt: number;
}

/** `ecs/task-definitions/<account>/<region>/<family>/<revision, nine digits>`. */
export interface TaskDefinitionRecord {
  /** As the API shows it, defaults filled in, without the instants below. */
  readonly definition: Omit<
    TaskDefinition,
    'registeredAt' | 'deregisteredAt' | 'deleteRequestedAt' | 'containerDefinitions'
  > & {
    readonly taskDefinitionArn: string;
    readonly family: string;
    readonly revision: number;
    readonly status: 'ACTIVE' | 'INACTIVE' | 'DELETE_IN_PROGRESS';
    readonly containerDefinitions: readonly (ContainerDefinition & { readonly name: string; readonly image: string })[];
  };
  readonly tags: Tags;
  readonly registeredAt: number;
  readonly deregisteredAt?: number;
  readonly deleteRequestedAt?: number;
}

export type TaskStatus =
  | 'PROVISIONING'
  | 'PENDING'
  | 'ACTIVATING'
  | 'RUNNING'
  | 'DEACTIVATING'
  | 'STOPPING'
  | 'DEPROVISIONING'
  | 'STOPPED';

/** Which subnets and security groups a task may use. */
export interface TaskNetwork {
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly assignPublicIp: boolean;
}

export interface TaskContainer {
  /** Last part of its ARN. */
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly lastStatus: 'PENDING' | 'RUNNING' | 'STOPPED';
  readonly healthStatus: HealthStatus;
  /** Essential and with a health check: its health is the task's. */
  readonly isJudged: boolean;
  readonly runtimeId?: string;
  readonly imageDigest?: string;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly memoryReservation?: string;
}

/** Where a task was put, and the interface it got there. */
export interface TaskPlacement {
  readonly nodeId: string;
  readonly zone: string;
  readonly subnetId: string;
  readonly attachmentId: string;
  readonly networkInterfaceId: string;
  readonly macAddress: string;
  readonly privateIp: string;
  readonly privateDnsName: string;
}

/** `ecs/tasks/<account>/<region>/<cluster>/<id>`. */
export interface TaskRecord extends ClusterScope {
  readonly id: string;
  readonly taskDefinitionArn: string;
  readonly group: string;
  readonly startedBy?: string;
  readonly launchType: LaunchType;
  readonly capacityProviderName?: string;
  readonly cpu: string;
  readonly memory: string;
  readonly taskRoleArn?: string;
  readonly executionRoleArn?: string;
  readonly overrides: TaskOverride;
  readonly enableExecuteCommand: boolean;
  readonly tags: Tags;
  readonly network: TaskNetwork;
  readonly containers: readonly TaskContainer[];
  readonly placement?: TaskPlacement;
  readonly lastStatus: TaskStatus;
  readonly desiredStatus: 'RUNNING' | 'STOPPED';
  readonly stopCode?: TaskStopCode;
  readonly stoppedReason?: string;
  /** Counts changes, as events carry it. */
  readonly version: number;
  readonly createdAt: number;
  readonly connectivityAt?: number;
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly startedAt?: number;
  readonly stoppingAt?: number;
  readonly executionStoppedAt?: number;
  readonly stoppedAt?: number;
}

export interface DeploymentRecord {
  /** `ecs-svc/` and 19 digits; its tasks are `startedBy` it. */
  readonly id: string;
  readonly status: 'PRIMARY' | 'ACTIVE';
  readonly taskDefinitionArn: string;
  readonly network: TaskNetwork;
  readonly rolloutState: DeploymentRolloutState;
  readonly rolloutStateReason: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface ServiceEventRecord {
  readonly id: string;
  readonly createdAt: number;
  readonly message: string;
}

/** `ecs/services/<account>/<region>/<cluster>/<name>`. A deleted service stays, `INACTIVE`, until one of its name is made. */
export interface ServiceRecord extends ClusterScope {
  readonly name: string;
  readonly status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
  readonly desiredCount: number;
  readonly launchType: LaunchType;
  readonly capacityProviderStrategy?: readonly CapacityProviderStrategyItem[];
  readonly deploymentConfiguration: DeploymentConfiguration & {
    readonly maximumPercent: number;
    readonly minimumHealthyPercent: number;
  };
  readonly enableExecuteCommand: boolean;
  readonly enableECSManagedTags: boolean;
  readonly propagateTags: PropagateTags;
  readonly healthCheckGracePeriodSeconds?: number;
  readonly tags: Tags;
  /** PRIMARY first, then those it replaces. */
  readonly deployments: readonly DeploymentRecord[];
  /** Newest first, at most 100. */
  readonly events: readonly ServiceEventRecord[];
  /** Whether the last event of its kind said that the service is steady. */
  readonly isSteady: boolean;
  readonly createdAt: number;
  readonly createdBy: string;
}
