export type { SandboxCgroups, SandboxLimits } from './cgroups.ts';
export * from './instances.ts';
export type * from './ports.ts';
export * from './sandbox.ts';
