import type { Container, Containers } from '#engine';
import { type ContainerSpec, type SandboxSpec, sandboxKey } from './sandbox.ts';

/** Labels by which a worker knows its containers again, whatever it has forgotten. */
const SANDBOX_LABEL = 'dabba.sandbox';
const CONTAINER_LABEL = 'dabba.container';

/** The name of a sandbox's container in the engine; the same for every attempt, so that there is never a second one. */
export function containerName(sandbox: SandboxSpec, container: ContainerSpec): string {
  return `${sandbox.id}-${container.name}`;
}

export function identityLabels(sandbox: SandboxSpec, container: ContainerSpec): { readonly [name: string]: string } {
  return { [SANDBOX_LABEL]: sandboxKey(sandbox), [CONTAINER_LABEL]: container.name };
}

/** The key of the sandbox that these labels name; undefined for a container of somebody else. */
export function sandboxOf(labels: { readonly [name: string]: string } | undefined): string | undefined {
  return labels?.[SANDBOX_LABEL];
}

/** A sandbox's containers as the engine knows them, by their names in the spec. */
export async function findContainers(
  containers: Containers,
  sandbox: SandboxSpec,
): Promise<ReadonlyMap<string, Container>> {
  const found = await Promise.all(
    sandbox.containers.map(async (spec) => [spec.name, await containers.find(containerName(sandbox, spec))] as const),
  );
  return new Map(found.filter((pair): pair is readonly [string, Container] => pair[1] !== undefined));
}
