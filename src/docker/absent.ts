/** The answer to a published operation that is not here, in the words Docker has for it where it has any. */
export interface Absence {
  readonly status: number;
  readonly message: string;
}

/** What Docker says of all that belongs to a cluster. */
export const notManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
/** A cluster's objects, which clients ask after to learn whether there is one. */
const ofSwarm = /^\/(swarm$|swarm\/(update|unlockkey|unlock)$|nodes|services|tasks|secrets|configs)/;

/** Docker answers 503 for a cluster that a node is not part of; to make one takes what is not here. */
export function absenceOf(method: string, path: string): Absence {
  if (ofSwarm.test(path) || (method === 'PUT' && path === '/volumes/{name}'))
    return { status: 503, message: notManager };
  if (path === '/swarm/leave') return { status: 503, message: 'This node is not part of a swarm' };
  return { status: 501, message: `${method} ${path} is not supported by dabba` };
}
