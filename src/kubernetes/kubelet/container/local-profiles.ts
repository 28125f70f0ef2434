import { closeSync, constants, fstatSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { DabbaError, systemCode } from '#base';
import { KernelError, openBeneath } from '#kernel';

/** Where a node keeps seccomp profiles, on its own file system: pods put them there through a hostPath volume, as on any node. */
const folder = '/var/lib/kubelet/seccomp';
/** The runtime's own has 30 KiB. */
const mostBytes = 2 ** 20;

/**
 * The text of a profile that a pod names with `localhostProfile`. `root` is the node's file system. What is there is others' work: a link that leads out of it leads nowhere, and
 * nothing but a file is read; what is no JSON is refused here, for to the engine a word is not a profile. Throws `FailedPrecondition`.
 */
export function readLocalProfile(root: string, name: string): string {
  const path = posix.join(folder, name);
  const refuse = (why: string) => new DabbaError('FailedPrecondition', `cannot load seccomp profile "${path}": ${why}`);
  // Validation has refused it already.
  if (!path.startsWith(`${folder}/`)) throw refuse('it is not where profiles are');
  let descriptor: number;
  try {
    descriptor = openBeneath(root, path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw refuse(systemCode(error) === 'ENOENT' ? 'no such file or directory' : `it cannot be opened (${error.code})`);
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw refuse('it is not a file');
    if (stats.size > mostBytes) throw refuse('it is too large');
    const text = readFileSync(descriptor, 'utf8');
    if (!isJson(text)) throw refuse('it is not JSON');
    return text;
  } finally {
    closeSync(descriptor);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
