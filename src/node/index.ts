export type { SandboxCgroups, SandboxLimits } from './cgroups.ts';
export type * from './ports.ts';
export * from './sandbox.ts';
export { type NodeWorker, type NodeWorkerOptions, createNodeWorker } from './worker.ts';
