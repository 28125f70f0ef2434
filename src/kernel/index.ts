export { KernelError } from './libc.ts';
