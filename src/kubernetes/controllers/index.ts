import type { Controller, ControllerParts } from './controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { replicaSetController, replicationController } from './replicaset/controller.ts';

export { type Controller, type ControllerParts, runControllers } from './controller.ts';

/** Every controller of this folder, made for one cluster; `runControllers` runs them. */
export function controllersOf(parts: ControllerParts): readonly Controller[] {
  return [deploymentController(parts), replicaSetController(parts), replicationController(parts)];
}
