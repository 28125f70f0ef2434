/** Arithmetic on amounts by resource. */
import { addQuantities, compareQuantities, formatQuantity, parseQuantity, subtractQuantities } from '../../quantity.ts';
import type { Amounts } from '../pod-resources.ts';

/** Those of `amounts` that `names` has too. */
export function mask(amounts: Amounts, names: Amounts): Amounts {
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => names[name] !== undefined));
}

export function plus(a: Amounts, b: Amounts): Amounts {
  const sums = Object.entries(b).map(([name, amount]) => [
    name,
    formatQuantity(addQuantities(parseQuantity(a[name] ?? '0'), parseQuantity(amount))),
  ]);
  return { ...a, ...(Object.fromEntries(sums) as Amounts) };
}

/** What `next` has more of than `before`. */
export function growth(next: Amounts, before: Amounts): Amounts {
  const differences = Object.entries(next).flatMap(([name, amount]) => {
    const difference = subtractQuantities(parseQuantity(amount), parseQuantity(before[name] ?? '0'));
    return difference.nano > 0n ? [[name, formatQuantity(difference)]] : [];
  });
  return Object.fromEntries(differences) as Amounts;
}

/** The names of which there is more than the bound. */
export function exceeding(amounts: Amounts, bounds: Amounts): readonly string[] {
  return Object.keys(amounts).filter(
    (name) => bounds[name] !== undefined && compareQuantities(amounts[name]!, bounds[name]) > 0,
  );
}

/** True if both have the same amounts, however they are written. */
export function equal(a: Amounts, b: Amounts): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every(
    (name) => a[name] !== undefined && b[name] !== undefined && compareQuantities(a[name], b[name]) === 0,
  );
}

/** `cpu=1,pods=2`, by name. */
export function describe(amounts: Amounts, names: readonly string[]): string {
  return names
    .toSorted()
    .map((name) => `${name}=${amounts[name] ?? '0'}`)
    .join(',');
}
