export type * from './ports.ts';
export type * from './principal.ts';
