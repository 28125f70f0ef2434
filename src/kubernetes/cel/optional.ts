/** A value that may be missing, for rules that ask themselves: `oldSelf.hasValue()`. The library's own optionals lose the type of what they hold. */
import type { Environment } from '@marcbachmann/cel-js';

export class CelOptional {
  readonly value: unknown;
  /** `undefined` for none. */
  constructor(value: unknown) {
    this.value = value;
  }
}

export function registerOptional(environment: Environment): void {
  environment
    .registerType('Optional', CelOptional)
    .registerFunction('Optional.hasValue(): bool', ({ value }: CelOptional) => value !== undefined)
    .registerFunction('Optional.value(): dyn', ({ value }: CelOptional) => {
      if (value === undefined) throw new Error('optional.none() dereference');
      return value;
    })
    .registerFunction('Optional.orValue(dyn): dyn', ({ value }: CelOptional, otherwise: unknown) => value ?? otherwise);
}
