import { DabbaError } from '#base';
import type { BuilderParts, DockerfileBuilder } from './ports.ts';

/** Makes the builder of an engine. */
export function createBuilder(_parts: BuilderParts): DockerfileBuilder {
  return {
    // oxlint-disable-next-line require-yield
    async *build() {
      throw new DabbaError('Unimplemented', 'builds are not here yet');
    },
    chainsInUse: () => Promise.resolve([]),
    start: () => Promise.resolve(),
  };
}
