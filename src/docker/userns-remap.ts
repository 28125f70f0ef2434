import { DabbaError } from '#base';
import type { ContainerCreate, IdMapping } from '#engine';

/**
 * What a client asked for, with the ids mapped as the daemon was told (`--userns-remap`), unless it asked for the machine's user namespace. Throws
 * `InvalidArgument`, in dockerd's words, for what a container with mapped ids cannot share or be.
 */
export function remapped(create: ContainerCreate, ids: IdMapping | undefined): ContainerCreate {
  if (!ids || create.namespaces?.user === 'host') return create;
  const refuse = (why: string) => {
    throw new DabbaError('InvalidArgument', why);
  };
  if (create.isPrivileged)
    refuse(
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    );
  if (create.network.mode === 'host')
    refuse("cannot share the host's network namespace when user namespaces are enabled");
  if (create.namespaces?.pid === 'host') refuse('cannot share the host PID namespace when user namespaces are enabled');
  return { ...create, namespaces: { ...create.namespaces, user: ids } };
}
