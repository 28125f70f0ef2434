export * from './account.ts';
export * from './arn.ts';
export type * from './brand.ts';
export * from './clock.ts';
export * from './digest.ts';
export * from './errors.ts';
export * from './iso-time.ts';
export * from './logger.ts';
export * from './random.ts';
