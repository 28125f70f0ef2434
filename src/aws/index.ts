export type * from './auth/index.ts';
export * from './errors.ts';
export * from './page.ts';
export * from './service.ts';
