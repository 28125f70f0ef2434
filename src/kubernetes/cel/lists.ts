/** The list functions that Kubernetes adds to CEL: apiserver `pkg/cel/library/lists.go`. */
import type { Environment } from '@marcbachmann/cel-js';

type Comparable = string | number | bigint | boolean;

export function registerLists(environment: Environment): void {
  environment
    .registerFunction('list.sum(): dyn', (list: readonly (number | bigint)[]) =>
      list.length === 0 ? 0n : list.reduce((sum, item) => ((sum as number) + (item as number)) as number | bigint),
    )
    .registerFunction('list.min(): dyn', (list: readonly Comparable[]) => extreme(list, (a, b) => a < b))
    .registerFunction('list.max(): dyn', (list: readonly Comparable[]) => extreme(list, (a, b) => a > b))
    .registerFunction('list.isSorted(): bool', (list: readonly Comparable[]) =>
      list.every((item, index) => index === 0 || list[index - 1]! <= item),
    )
    .registerFunction('list.indexOf(dyn): int', (list: readonly unknown[], value: unknown) =>
      BigInt(list.indexOf(value)),
    )
    .registerFunction('list.lastIndexOf(dyn): int', (list: readonly unknown[], value: unknown) =>
      BigInt(list.lastIndexOf(value)),
    );
}

function extreme(list: readonly Comparable[], isBetter: (a: Comparable, b: Comparable) => boolean): Comparable {
  const [first, ...rest] = list;
  if (first === undefined) throw new Error('min or max called on an empty list');
  return rest.reduce((best, item) => (isBetter(item, best) ? item : best), first);
}
