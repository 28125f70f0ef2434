export type * from './ports.ts';
export * from './sandbox.ts';
