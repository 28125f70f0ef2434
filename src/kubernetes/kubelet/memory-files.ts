import {
  ensureIpcNamespace,
  ensureIpcNamespaceIn,
  listMounts,
  mount,
  MountFlag,
  openOwnerOf,
  unmount,
  UnmountFlag,
} from '#kernel';

/** File systems in memory, for what must not reach a disk and for what pods ask for; and the namespaces that go with shared memory. */
export interface MemoryFiles {
  /** Makes one at a directory that is there, unless there is one already. */
  ensure(directory: string, options: { readonly sizeBytes: number; readonly mode: number }): void;
  /**
   * Makes an IPC namespace, for containers to join at `path`, unless it is there already: the machine's, or one that whoever owns a network namespace owns.
   */
  ensureIpc(path: string, besideNetwork?: string): Promise<void>;
  /** Removes every one of both beneath a directory. */
  removeBeneath(directory: string): void;
}

/** tmpfs(5). */
export const linuxMemoryFiles: MemoryFiles = {
  ensure(directory, { sizeBytes, mode }) {
    if (listMounts().some(({ target }) => target === directory)) return;
    const flags = MountFlag.noDevices | MountFlag.noSuid;
    const options = `size=${sizeBytes},mode=${mode.toString(8)}`;
    mount({ source: 'tmpfs', target: directory, type: 'tmpfs', flags, options });
  },
  async ensureIpc(path, besideNetwork) {
    if (besideNetwork === undefined) return ensureIpcNamespace(path);
    using owner = openOwnerOf(besideNetwork);
    await ensureIpcNamespaceIn(owner, path);
  },
  removeBeneath(directory) {
    for (const { target } of listMounts().toReversed())
      if (target.startsWith(`${directory}/`)) unmount(target, UnmountFlag.detach);
  },
};
