export * from './errors.ts';
export * from './service.ts';
export type * from './auth/principal.ts';
