import { horizontalPodAutoscaler } from './autoscaling/controller.ts';
import type { Controller, ControllerParts } from './controller.ts';
import { cronJobController } from './cronjob/controller.ts';
import { daemonSetController } from './daemonset/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { disruptionController } from './disruption/controller.ts';
import { endpointsController } from './endpoints/endpoints-controller.ts';
import { mirroringController } from './endpoints/mirroring-controller.ts';
import { endpointSliceController } from './endpoints/slice-controller.ts';
import { garbageCollector } from './garbage/controller.ts';
import { jobController } from './job/controller.ts';
import { loadBalancerController } from './loadbalancer/controller.ts';
import type { LoadBalancers } from './loadbalancer/ports.ts';
import { namespaceController } from './namespace/controller.ts';
import { nodeLifecycleController } from './node/lifecycle.ts';
import { podGarbageCollector } from './node/pod-gc.ts';
import { taintEvictionController } from './node/taint-eviction.ts';
import { claimController } from './persistentvolume/claim-controller.ts';
import { ephemeralVolumeController } from './persistentvolume/ephemeral.ts';
import { claimProtection, volumeProtection } from './persistentvolume/protection.ts';
import { localProvisioner, type VolumeProvisioner } from './persistentvolume/provisioner.ts';
import { volumeController } from './persistentvolume/volume-controller.ts';
import { replicaSetController, replicationController } from './replicaset/controller.ts';
import { statefulSetController } from './statefulset/controller.ts';
import { ttlAfterFinishedController } from './ttl/controller.ts';

export { type Controller, type ControllerParts, runControllers } from './controller.ts';
export type { LoadBalancerIngress, LoadBalancerRequest, LoadBalancers } from './loadbalancer/ports.ts';
export type { ProvisionRequest, VolumeProvisioner } from './persistentvolume/provisioner.ts';

/** What the room above adds. */
export interface ControllerPorts {
  /** Without it, services of type `LoadBalancer` wait. */
  readonly loadBalancers?: LoadBalancers | undefined;
  /** Beside the cluster's own. */
  readonly provisioners?: readonly VolumeProvisioner[] | undefined;
}

/** Every controller of this folder, made for one cluster; `runControllers` runs them. */
export function controllersOf(
  parts: ControllerParts,
  { loadBalancers, provisioners = [] }: ControllerPorts = {},
): readonly Controller[] {
  const makers = [localProvisioner, ...provisioners];
  return [
    deploymentController(parts),
    replicaSetController(parts),
    replicationController(parts),
    statefulSetController(parts),
    daemonSetController(parts),
    jobController(parts),
    cronJobController(parts),
    endpointSliceController(parts),
    endpointsController(parts),
    mirroringController(parts),
    garbageCollector(parts),
    namespaceController(parts),
    nodeLifecycleController(parts),
    taintEvictionController(parts),
    podGarbageCollector(parts),
    claimController(parts, makers),
    volumeController(parts, makers),
    claimProtection(parts),
    volumeProtection(parts),
    ephemeralVolumeController(parts),
    disruptionController(parts),
    ttlAfterFinishedController(parts),
    horizontalPodAutoscaler(parts),
    ...(loadBalancers ? [loadBalancerController(parts, loadBalancers)] : []),
  ];
}
