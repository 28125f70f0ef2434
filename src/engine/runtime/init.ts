import { DabbaError } from '#base';
import { findProgram } from './programs.ts';
import type { ContainerRecord } from './record.ts';
import type { PlacedMount } from './spec/mounts.ts';

/** Where Docker puts the small init that reaps orphans and passes signals on (`docker run --init`). */
const initPath = '/sbin/docker-init';

/** The program on this machine, which must be linked statically to run in any image. Throws `FailedPrecondition` when none is installed. */
export function findInit(): string {
  try {
    return findProgram('docker-init', 'tini-static', 'catatonit');
  } catch (cause) {
    throw new DabbaError(
      'FailedPrecondition',
      'no init process for --init on this machine: install tini-static (apt-get install -y tini) or catatonit',
      { cause },
    );
  }
}

/** What the container's first process is run with. */
export function underInit({ create, process }: ContainerRecord): readonly string[] {
  return create.isInitEnabled ? [initPath, '--', ...process.args] : process.args;
}

/** The init itself, bound over whatever the image has there. */
export function initMounts({ create, mounts }: ContainerRecord): readonly PlacedMount[] {
  if (!create.isInitEnabled) return [];
  if (mounts.some(({ target }) => target === initPath))
    throw new DabbaError('InvalidArgument', `a mount over ${initPath} and an init process exclude one another`);
  return [{ kind: 'bind', source: findInit(), target: initPath, isReadOnly: true }];
}
