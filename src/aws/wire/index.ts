export { jsonWire } from './json.ts';
export type * from './message.ts';
export * from './model.ts';
export * from './required.ts';
export type { ErrorSchema, Member, OperationSchema, Shape, StructureShape } from './schema.ts';
export * from './select.ts';
