import type { ContainerCreate } from '#engine';
import type { Fields } from './fields.ts';

/** `Ulimits` of a HostConfig. */
export function readUlimits(host: Fields): NonNullable<ContainerCreate['ulimits']> {
  return host.objects('Ulimits').map((limit) => ({
    name: limit.text('Name') ?? '',
    soft: limit.number('Soft') ?? 0,
    hard: limit.number('Hard') ?? 0,
  }));
}
