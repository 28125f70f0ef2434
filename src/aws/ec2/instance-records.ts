import type { Tags } from '#network';
import type { MetadataOptions } from './metadata/options.ts';

export type InstanceStateName = 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';

/** `ec2/instances/<account>/<region>/<id>`. The API writes what is wanted as a state in passing, `instance-reconciler.ts` the state that is reached. */
export interface InstanceRecord {
  readonly id: string;
  readonly tenant: string;
  readonly region: string;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly reservationId: string;
  /** Place in its reservation. */
  readonly launchIndex: number;
  readonly clientToken?: string;
  readonly imageId: string;
  readonly instanceType: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly networkInterfaceId: string;
  readonly privateIp: string;
  readonly publicIp?: string;
  readonly securityGroupIds: readonly string[];
  /** ARN and id of the profile whose role its credentials are of. */
  readonly instanceProfile?: { readonly arn: string; readonly id: string };
  /** The role whose sessions it has, where a service says so and no profile. */
  readonly roleArn?: string;
  /** Absent in records from before there was a metadata service: the image's. */
  readonly metadataOptions?: MetadataOptions;
  readonly isTerminationProtected: boolean;
  /** As it was asked for, which makes no difference: every type here is optimized for EBS by default (Amazon EC2 User Guide, "EBS-optimized instance types"). */
  readonly isEbsOptimized?: boolean;
  /** The service that made it and looks after it, for example `eks`. */
  readonly managedBy?: string;
  /** Where it runs: `Node.id` and `Node.machineId`. */
  readonly nodeId: string;
  readonly machineId: string;
  readonly state: InstanceStateName;
  /** Why it is being stopped or terminated, or could not go on. */
  readonly stateReason?: { readonly code: string; readonly message: string };
  readonly stateChangedAt: number;
  readonly launchedAt: number;
}

export const stateCodes: { readonly [Name in InstanceStateName]: number } = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};
