import type { Controller, ControllerParts } from './controller.ts';
import { cronJobController } from './cronjob/controller.ts';
import { daemonSetController } from './daemonset/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { endpointsController } from './endpoints/endpoints-controller.ts';
import { mirroringController } from './endpoints/mirroring-controller.ts';
import { endpointSliceController } from './endpoints/slice-controller.ts';
import { garbageCollector } from './garbage/controller.ts';
import { jobController } from './job/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { nodeLifecycleController } from './node/lifecycle.ts';
import { podGarbageCollector } from './node/pod-gc.ts';
import { taintEvictionController } from './node/taint-eviction.ts';
import { replicaSetController, replicationController } from './replicaset/controller.ts';
import { statefulSetController } from './statefulset/controller.ts';

export { type Controller, type ControllerParts, runControllers } from './controller.ts';

/** Every controller of this folder, made for one cluster; `runControllers` runs them. */
export function controllersOf(parts: ControllerParts): readonly Controller[] {
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
  ];
}
