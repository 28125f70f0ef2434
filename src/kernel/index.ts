export { KernelError } from './libc.ts';
export * from './files.ts';
export * from './mount.ts';
export * from './namespaces.ts';
export { NetlinkSocket } from './netlink.ts';
export type { NetlinkMessage, NetlinkRequest } from './netlink.ts';
export * from './rtnetlink.ts';
export * from './sockets.ts';
export * from './xattr.ts';
