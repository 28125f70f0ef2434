import type { Controller, ControllerParts } from './controller.ts';
import { cronJobController } from './cronjob/controller.ts';
import { daemonSetController } from './daemonset/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { jobController } from './job/controller.ts';
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
  ];
}
