export { createEngine, type EngineOptions } from './create.ts';
export type * from './engine.ts';
export type * from './ports.ts';
