import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { clientException } from './names.ts';

/** The graph of `dependsOn`: containers that exist, conditions that can come true, no cycles. */
export function checkDependencies(containers: readonly ContainerDefinition[]): void {
  const byName = new Map(containers.map((container) => [container.name, container]));
  for (const container of containers)
    for (const dependency of container.dependsOn ?? []) checkOne(container, dependency, byName);
  const finished = new Set<string>();
  for (const { name } of containers) visit(name!, byName, finished, []);
}

function checkOne(
  container: ContainerDefinition,
  { containerName, condition }: NonNullable<ContainerDefinition['dependsOn']>[number],
  byName: ReadonlyMap<string | undefined, ContainerDefinition>,
): void {
  const target = byName.get(containerName);
  if (!target)
    throw clientException(
      `Container '${container.name}' depends on container '${containerName}', which is not in the task definition.`,
    );
  if (containerName === container.name) throw clientException(`Container '${container.name}' cannot depend on itself.`);
  if (condition === 'HEALTHY' && !target.healthCheck)
    throw clientException(
      `Container '${container.name}' waits for '${containerName}' to be HEALTHY, but that has no health check.`,
    );
  if ((condition === 'SUCCESS' || condition === 'COMPLETE') && target.essential !== false)
    throw clientException(
      `Container '${container.name}' waits for '${containerName}' to end, but that is essential: its end stops the task.`,
    );
}

function visit(
  name: string,
  byName: ReadonlyMap<string | undefined, ContainerDefinition>,
  finished: Set<string>,
  path: readonly string[],
): void {
  if (path.includes(name))
    throw clientException(`The dependencies of containers form a cycle: ${[...path, name].join(' → ')}.`);
  if (finished.has(name)) return;
  for (const { containerName } of byName.get(name)?.dependsOn ?? [])
    visit(containerName!, byName, finished, [...path, name]);
  finished.add(name);
}
