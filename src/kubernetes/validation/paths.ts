import { invalidValue, when, type Errors } from './field.ts';

/** A path that stays beneath where it begins. */
export function descendingPathErrors(path: string | undefined, field: string): Errors {
  if (!path) return [];
  return [
    ...when(path.startsWith('/'), () => invalidValue(field, path, 'must be a relative path')),
    ...when(path.split('/').includes('..'), () => invalidValue(field, path, "must not contain '..'")),
  ];
}
