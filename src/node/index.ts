export type { SandboxCgroups, SandboxLimits } from './cgroups.ts';
export type * from './ports.ts';
export * from './sandbox.ts';
