export type * from './engine.ts';
export type * from './ports.ts';
