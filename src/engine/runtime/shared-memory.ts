import { mkdirSync } from 'node:fs';
import { mount, MountFlag, unmount } from '#kernel';
import type { Instance } from './instance.ts';
import type { Neighbours } from './lifecycle.ts';
import { ipcDonor } from './namespaces.ts';
import type { PlacedMount } from './spec/mounts.ts';
import { defaultSharedMemoryBytes } from './spec/defaults.ts';

/**
 * /dev/shm of a container that shares its IPC: a tmpfs on the machine, which those who join it get too. Others have one that runc mounts, and
 * need nothing of this.
 */
export function sharedMemoryMounts(instance: Instance, neighbours: Pick<Neighbours, 'find'>): readonly PlacedMount[] {
  const { create } = instance.record;
  const owner = create.namespaces?.ipc === 'shareable' ? instance : ipcDonor(create, neighbours);
  if (!owner) return [];
  const { sharedMemory } = owner.folder;
  if (owner === instance) {
    mkdirSync(sharedMemory, { recursive: true, mode: 0o1777 });
    const options = `mode=1777,size=${create.sharedMemoryBytes ?? defaultSharedMemoryBytes}`;
    const flags = MountFlag.noSuid | MountFlag.noDevices | MountFlag.noExecute;
    mount({ source: 'shm', target: sharedMemory, type: 'tmpfs', flags, options });
  }
  return [{ kind: 'bind', source: sharedMemory, target: '/dev/shm', isReadOnly: false }];
}

/** Undoes it. May be repeated. */
export function releaseSharedMemory({ record, folder }: Instance): void {
  if (record.create.namespaces?.ipc === 'shareable') unmount(folder.sharedMemory);
}
