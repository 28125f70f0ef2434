export { KernelError } from './libc.ts';
export * from './files.ts';
export * from './mount.ts';
export * from './xattr.ts';
