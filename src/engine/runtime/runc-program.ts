import { messageOf, type Logger } from '#base';
import { KernelError, sealProgram, standardEnvironment, type SealedProgram } from '#kernel';

/**
 * What runc makes containers with. Go's threads for several things at once cost a program more than they save that does one after another and ends,
 * where many start at the same time; an exec, which somebody waits for, has them.
 */
export const runcEnvironment = { ...standardEnvironment, GOMAXPROCS: '1' } as const;

/**
 * runc as a sealed file in memory, until disposed of. A container's first process is runc for a moment, whose file must be none that the container
 * could write to (CVE-2019-5736); unless it finds itself sealed already, runc sees to that by a mount and by starting itself once more, in every
 * container (libcontainer/nsenter/cloned_binary.c). Where programs cannot run from memory it stays the file.
 */
export function sealRunc(file: string, logger: Logger): SealedProgram {
  try {
    return sealProgram(file);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    logger.warn('runc is not kept in memory', { reason: messageOf(error) });
    return { path: file, [Symbol.dispose]: () => undefined };
  }
}
