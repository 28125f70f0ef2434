import { type Digest, digestOf } from '#base';

/** The chain ID of a layer upon a chain; the lowest layer's is its diff ID (OCI image specification, "Layer ChainID"). */
export function chainIdOf(parent: Digest | undefined, diffId: Digest): Digest {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}

/** Chain IDs of a stack of layers, lowest first. */
export function chainIdsOf(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) chain.push(chainIdOf(chain.at(-1), diffId));
  return chain;
}
