import type { ServiceDefinition } from '../service.ts';
import { modelOf } from '../wire/index.ts';
import type { LoadedService } from './call.ts';

/** The registered services. An SDK package is loaded when its service is first called, and once. */
export class Services {
  readonly definitions: readonly ServiceDefinition[];
  readonly #bySigningName: ReadonlyMap<string, ServiceDefinition>;
  readonly #loaded = new Map<string, Promise<LoadedService>>();

  constructor(definitions: readonly ServiceDefinition[]) {
    this.definitions = definitions;
    this.#bySigningName = new Map(definitions.flatMap((one) => one.signingNames.map((name) => [name, one])));
  }

  /** The service that a credential scope means. */
  bySigningName(name: string): ServiceDefinition | undefined {
    return this.#bySigningName.get(name);
  }

  /** The service with an operation of this name that needs no signature. */
  byUnsignedOperation(operation: string): ServiceDefinition | undefined {
    return this.definitions.find((definition) => definition.unsigned?.includes(operation));
  }

  load(definition: ServiceDefinition): Promise<LoadedService> {
    let loaded = this.#loaded.get(definition.name);
    if (!loaded) {
      loaded = definition.loadSdk().then((sdk) => ({ definition, model: modelOf(sdk) }));
      this.#loaded.set(definition.name, loaded);
    }
    return loaded;
  }
}
