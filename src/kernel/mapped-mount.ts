import { closeSync } from 'node:fs';
import { check, libcFunction } from './libc.ts';
import type { UserNamespace } from './user-namespaces.ts';

const openTreeCall = libcFunction<(directory: number, path: string, flags: number) => number>(
  'int open_tree(int dfd, const char *filename, unsigned int flags)',
);
const setAttributesCall = libcFunction<
  (directory: number, path: string, flags: number, attributes: Buffer, size: number) => number
>('int mount_setattr(int dfd, const char *path, unsigned int flags, void *uattr, size_t usize)');
const moveMountCall = libcFunction<(from: number, source: string, to: number, target: string, flags: number) => number>(
  'int move_mount(int from_dfd, const char *from_path, int to_dfd, const char *to_path, unsigned int flags)',
);

const currentDirectory = -100; // AT_FDCWD
const emptyPath = 0x1000; // AT_EMPTY_PATH
const recursive = 0x8000; // AT_RECURSIVE
const [clone, closeOnExec] = [1, 0o2000000] as const; // OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC
const idMapped = 0x100000n; // MOUNT_ATTR_IDMAP
const privatePropagation = 1n << 18n; // MS_PRIVATE
const fromEmptyPath = 0x4; // MOVE_MOUNT_F_EMPTY_PATH

export interface MappedMount {
  readonly source: string;
  readonly target: string;
  /** Its ids on the machine are seen and left by the mount; what lies beneath keeps those inside. */
  readonly userNamespace: UserNamespace;
  /** With what is mounted beneath the source. */
  readonly isRecursive?: boolean;
}

/**
 * Mounts a file or directory a second time, in which ids are mapped as in a user namespace (mount_setattr(2), Linux 5.12; overlayfs above it 5.19,
 * tmpfs 6.3). Throws `KernelError`, with `EINVAL` where its file system takes no mapping.
 */
export function mountMapped({ source, target, userNamespace, isRecursive = false }: MappedMount): void {
  const depth = isRecursive ? recursive : 0;
  const tree = check(openTreeCall(currentDirectory, source, clone | closeOnExec | depth), 'open_tree', source);
  try {
    const attributes = Buffer.alloc(32); // struct mount_attr
    attributes.writeBigUInt64LE(idMapped, 0);
    attributes.writeBigUInt64LE(privatePropagation, 16);
    attributes.writeBigUInt64LE(BigInt(userNamespace.descriptor), 24);
    const made = setAttributesCall(tree, '', emptyPath | depth, attributes, attributes.length);
    check(made, 'mount_setattr', `${source} with mapped ids`);
    check(moveMountCall(tree, '', currentDirectory, target, fromEmptyPath), 'move_mount', target);
  } finally {
    closeSync(tree);
  }
}
