import type { Informers } from '../../client/informer.ts';
import { parseApiVersion } from '../../object.ts';
import { deployments, replicaSets, replicationControllers, statefulSets } from '../../resources.ts';
import type { OwnerReference, Pod } from '../../types.ts';
import { ownedIn } from '../indexes.ts';
import { metaOf } from '../meta.ts';
import { controllerOf } from '../ownership.ts';

/** How many pods there should be, by what their controllers want; a text says why nobody knows. */
export type ExpectedPods = (pods: readonly Pod[]) => number | string;

/** Finds the scale of pods' controllers; of a replica set that a deployment owns, the deployment's. */
export function expectedPodsOf(informers: Informers): ExpectedPods {
  const sets = ownedIn(informers, replicaSets);
  const copies = {
    Deployment: informers.of(deployments),
    StatefulSet: informers.of(statefulSets),
    ReplicationController: ownedIn(informers, replicationControllers),
  };
  const scaleOf = (
    namespace: string | undefined,
    owner: OwnerReference,
  ): readonly [uid: string, replicas: number] | undefined => {
    const key = `${namespace}/${owner.name}`;
    if (owner.kind === 'ReplicaSet') {
      const set = sets.get(key);
      if (!set || metaOf(set).uid !== owner.uid) return undefined;
      const above = controllerOf(set);
      if (above?.kind === 'Deployment') return scaleOf(namespace, above);
      return [owner.uid, set.spec?.replicas ?? 1];
    }
    if (!(owner.kind in copies)) return undefined;
    const object = copies[owner.kind as keyof typeof copies].get(key);
    return object?.metadata?.uid === owner.uid ? [owner.uid, object.spec?.replicas ?? 1] : undefined;
  };
  return (pods) => {
    const scales = new Map<string, number>();
    for (const pod of pods) {
      const { namespace, name } = metaOf(pod);
      const owner = controllerOf(pod);
      if (!owner) return `found no controller ref for pod "${name}"`;
      const scale = scaleOf(namespace, owner);
      if (!scale) {
        const { group } = parseApiVersion(owner.apiVersion);
        return `${owner.kind}${group && `.${group}`} "${owner.name}" does not implement the scale subresource`;
      }
      scales.set(...scale);
    }
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  };
}
