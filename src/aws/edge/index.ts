export type { Call, FinishedCall, LoadedService } from './call.ts';
export { accessDenied } from './authorize.ts';
export { createEdge, type CallObserver, type Edge, type EdgeOptions } from './edge.ts';
