import { DabbaError } from '#base';
import { parseQuantity } from '../../quantity.ts';
import type * as types from '../../types.ts';

/** What a node can give: the value of a limit that a container does not have. */
export interface Allocatable {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
}

/**
 * The value of a container's request or limit, divided by `divisor` and rounded up ("resourceFieldRef", Kubernetes documentation). Throws `InvalidArgument`.
 */
export function resourceValue(
  container: types.Container,
  resource: string,
  { divisor = '0', allocatable }: { readonly divisor?: string; readonly allocatable: Allocatable },
): string {
  const [, kind, name] = /^(requests|limits)\.(.+)$/.exec(resource) ?? [];
  if (kind === undefined || name === undefined)
    throw new DabbaError('InvalidArgument', `unsupported container resource : ${resource}`);
  const { requests, limits } = container.resources ?? {};
  const asked = kind === 'requests' ? (requests?.[name] ?? limits?.[name]) : limits?.[name];
  const nano = asked === undefined ? defaultNano(kind, name, allocatable) : parseQuantity(asked).nano;
  const unit = parseQuantity(divisor).nano || 1_000_000_000n;
  return String((nano + unit - 1n) / unit);
}

function defaultNano(kind: string, name: string, allocatable: Allocatable): bigint {
  if (kind === 'requests') return 0n;
  if (name === 'cpu') return BigInt(allocatable.cpuMillis) * 1_000_000n;
  if (name === 'memory') return BigInt(allocatable.memoryBytes) * 1_000_000_000n;
  if (name === 'ephemeral-storage') return BigInt(allocatable.ephemeralStorageBytes) * 1_000_000_000n;
  return 0n;
}
