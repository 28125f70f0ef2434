/** Puts the default flow schemas and priority levels in place. */
import type { ApiClient } from '../../client/client.ts';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { flowSchemas, priorityLevels } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { isSameJson } from '../draft.ts';
import { AUTO_UPDATE, defaultLevels, defaultSchemas } from './defaults.ts';

interface Configured extends KubernetesObject {
  readonly spec?: object;
}

/** May be repeated: what somebody has taken into their own hands (`apf.kubernetes.io/autoupdate-spec: "false"`) stays as it is. */
export async function bootstrapFlowControl(client: ApiClient): Promise<void> {
  await Promise.all([
    ...defaultLevels.map((level) => ensure<Configured>(client, priorityLevels, level)),
    ...defaultSchemas.map((schema) => ensure<Configured>(client, flowSchemas, schema)),
  ]);
}

async function ensure<T extends Configured>(client: ApiClient, type: ResourceType<T>, wanted: T): Promise<void> {
  try {
    await client.create(type, wanted);
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    const stored = await client.get(type, { name: wanted.metadata!.name! });
    if (stored.metadata?.annotations?.[AUTO_UPDATE] !== 'true') return;
    // What defaults have filled in is no difference.
    if (isSameJson({ ...stored.spec, ...wanted.spec }, stored.spec)) return;
    await client.update(type, { ...stored, spec: wanted.spec });
  }
}
