export * from './identity-token.ts';
export type * from './ports.ts';
export type * from './principal.ts';
export * from './sigv4/index.ts';
export * from './policy/index.ts';
