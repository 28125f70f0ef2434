import type { Informers } from '../client/informer.ts';
import { ownedIn } from '../controllers/indexes.ts';
import { controllerOf } from '../controllers/ownership.ts';
import { replicaSets, replicationControllers, services, statefulSets } from '../resources.ts';
import { labelSelectorOf, labelSelectorOfMap, matches, type Requirement } from '../selector.ts';
import type { SpreadSelector } from './plugins/topology-spread.ts';

/** Selects what belongs together with a pod: the pods of its services and of its owner. Behaviour: kubernetes `plugins/helper/spread.go`, "DefaultSelector". */
export function defaultSelectorOf(informers: Informers): SpreadSelector {
  const serviceCopy = informers.of(services);
  const owners = {
    ReplicaSet: ownedIn(informers, replicaSets),
    StatefulSet: informers.of(statefulSets),
    ReplicationController: ownedIn(informers, replicationControllers),
  };
  return (pod) => {
    const { namespace, labels } = pod.metadata!;
    const requirements: Requirement[] = [];
    for (const { spec } of serviceCopy.list(namespace)) {
      if (!spec?.selector || !Object.keys(spec.selector).length) continue;
      const selector = labelSelectorOfMap(spec.selector);
      if (matches(selector, labels)) requirements.push(...selector.requirements);
    }
    const owner = controllerOf(pod);
    const key = `${namespace}/${owner?.name}`;
    if (owner?.kind === 'ReplicaSet' || owner?.kind === 'StatefulSet')
      requirements.push(...labelSelectorOf(owners[owner.kind].get(key)?.spec?.selector).requirements);
    if (owner?.kind === 'ReplicationController')
      requirements.push(...labelSelectorOfMap(owners.ReplicationController.get(key)?.spec?.selector).requirements);
    return requirements.length ? { requirements } : undefined;
  };
}
