import type { KubernetesObject } from '../../object.ts';
import { conflict } from '../../status.ts';
import { type Draft, draftOf } from '../draft.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { objectPath } from '../storage/keys.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { typeOf } from './metadata.ts';
import { cacheOf, get } from './read.ts';
import { commit, noEffects, uncommitted } from './write.ts';

const ATTEMPTS = 16;

/** Changes an object as the API server itself does, without admission or validation. `change` may run again after a lost race; what it throws ends it. Throws `NotFound`. */
export async function rewrite(
  parts: ApiParts,
  call: NamedCall,
  change: (object: Draft<KubernetesObject>) => void,
): Promise<StoredObject> {
  const path = objectPath(call);
  for (let attempt = 1; ; attempt++) {
    const live = await get(parts, call);
    const object = draftOf(live.object);
    change(object);
    if (call.isDryRun) return uncommitted(parts, call, path, object, live.revision);
    const { prefix } = await cacheOf(parts, call.resource);
    const compare = { key: prefix + path, field: 'modRevision', is: '=', value: live.revision } as const;
    const stored = await commit(parts, call, { path, compare, object, effects: noEffects });
    if (stored) return stored;
    if (attempt === ATTEMPTS)
      throw conflict(typeOf(call), call.name, 'the object changes faster than it can be written');
  }
}
