import type { ServiceDefinition } from './service.ts';
import { modelOf } from './wire/index.ts';

/** What a service can do, and what its published model has beyond that. Both lists are in alphabetical order. */
export interface ServiceCoverage {
  readonly service: string;
  readonly supported: readonly string[];
  readonly missing: readonly string[];
}

/** Computed from the models and the handlers; it loads every SDK package. Throws on a handler for an operation that the model lacks. */
export function coverage(services: readonly ServiceDefinition[]): Promise<ServiceCoverage[]> {
  return Promise.all(
    services.map(async (definition) => {
      const { operations } = modelOf(await definition.loadSdk());
      const stray = Object.keys(definition.handlers).find((name) => !operations.has(name));
      if (stray !== undefined) throw new Error(`${definition.name} handles ${stray}, which its model does not have`);
      const names = [...operations.keys()].sort();
      const isSupported = (name: string) => definition.handlers[name] !== undefined;
      return {
        service: definition.name,
        supported: names.filter(isSupported),
        missing: names.filter((name) => !isSupported(name)),
      };
    }),
  );
}
