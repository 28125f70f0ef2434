export { createEngine, type EngineOptions } from './create.ts';
export { treeBytes } from './disk-usage.ts';
export { contextPaths } from './build/index.ts';
export type * from './engine.ts';
export type * from './ports.ts';
