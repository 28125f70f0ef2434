import { DabbaError, isDabbaError } from '#base';
import type { Instance } from './instance.ts';
import type { Neighbours } from './lifecycle.ts';
import type { JoinedResolution } from './resolution.ts';
import type { Runtime } from './runtime.ts';

type Hosts = JoinedResolution['hosts'];

/** The container whose network this one has; undefined when it is not another's. Throws `Conflict` unless that one runs. */
export function networkDonor({ record }: Instance, neighbours: Pick<Neighbours, 'find'>): Instance | undefined {
  const { network } = record.create;
  if (network.mode !== 'container') return undefined;
  const donor = neighbours.find(network.container);
  if (!donor.isRunning || !donor.state.process)
    throw new DabbaError('Conflict', `cannot join network of a non running container: ${donor.id}`);
  return donor;
}

/**
 * Host entries for the containers this one is linked to: their addresses in a network of both, by the alias, their name and the short form of their
 * id. Throws `Conflict` for one that does not run, unless `isRunning`: then it has gone since, and its names go too.
 */
export function linkedHosts(
  { networks }: Pick<Runtime, 'networks'>,
  { record }: Instance,
  neighbours: Pick<Neighbours, 'find'>,
  options: { readonly isRunning: boolean },
): Hosts {
  const own = new Set(networks.endpoints(record.id).map(({ networkId }) => networkId));
  return (record.create.links ?? []).flatMap(({ container, alias }) => {
    const linked = findLinked(neighbours, container);
    if (!linked) return [];
    const endpoint = linked.isRunning
      ? networks.endpoints(linked.id).find(({ networkId }) => own.has(networkId))
      : undefined;
    if (endpoint)
      return [
        { address: endpoint.privateIp, names: [...new Set([alias, linked.record.hostname, linked.record.name])] },
      ];
    if (options.isRunning) return [];
    const why = linked.isRunning ? 'a container in another network' : 'a non running container';
    throw new DabbaError('Conflict', `Cannot link to ${why}: /${linked.record.name} AS /${record.name}/${alias}`);
  });
}

/** The container a link means; undefined when it was removed: its link went with it, as in Docker. */
export function findLinked(neighbours: Pick<Neighbours, 'find'>, name: string): Instance | undefined {
  try {
    const found = neighbours.find(name);
    // Not one whose id merely begins like the name of the one that is gone.
    return isLinkedName(name, found) ? found : undefined;
  } catch (error) {
    if (isDabbaError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** Those of `instances` that are linked to a container and run. */
export function linkedTo(target: Instance, instances: Iterable<Instance>): readonly Instance[] {
  return [...instances].filter(
    ({ isRunning, record }) =>
      isRunning && record.create.links?.some(({ container }) => isLinkedName(container, target)),
  );
}

/** The names of those a container is linked to. */
export function namesLinked({ record }: Instance): readonly string[] {
  return (record.create.links ?? []).map(({ container }) => container);
}

/** Lets the links of a container mean another one that was renamed. */
export async function followRename(instance: Instance, oldName: string, name: string): Promise<void> {
  const { create } = instance.record;
  if (instance.isRemoved || !namesLinked(instance).includes(oldName)) return;
  const links = create.links?.map((link) => (link.container === oldName ? { ...link, container: name } : link));
  await instance.recreate({ ...create, ...(links && { links }) });
}

/**
 * Lets the links of a new container mean those they were made to, in the same order: who was renamed while it was made found no links of it to
 * change.
 */
export async function followRenames(instance: Instance, linked: readonly Instance[]): Promise<void> {
  for (const [index, oldName] of namesLinked(instance).entries()) {
    const { name } = linked[index]!.record;
    if (name !== oldName) await instance.turns.run(async () => await followRename(instance, oldName, name));
  }
}

/** Links are kept by names; those of records that older versions wrote may be ids. */
function isLinkedName(name: string, { id, record }: Instance): boolean {
  return name === record.name || (name.length >= 12 && id.startsWith(name));
}
