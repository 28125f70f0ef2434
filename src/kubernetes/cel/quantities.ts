/** Quantities, URLs and addresses in CEL: apiserver `pkg/cel/library/{quantity,urls,ip}.go`. */
import { BlockList, isIP } from 'node:net';
import type { Environment } from '@marcbachmann/cel-js';
import type { Quantity } from '../quantity.ts';
import {
  addQuantities,
  compareQuantities,
  isQuantity,
  parseQuantity,
  quantityValue,
  subtractQuantities,
} from '../quantity.ts';

class CelQuantity {
  readonly value: Quantity;
  constructor(value: Quantity) {
    this.value = value;
  }
}

export function registerQuantities(environment: Environment): void {
  const of = (value: Quantity) => new CelQuantity(value);
  environment
    .registerType('Quantity', CelQuantity)
    .registerFunction('isQuantity(string): bool', (text: string) => isQuantity(text))
    .registerFunction('quantity(string): Quantity', (text: string) => of(parseQuantity(text)))
    .registerFunction('Quantity.isGreaterThan(Quantity): bool', (a: CelQuantity, b: CelQuantity) => compared(a, b) > 0)
    .registerFunction('Quantity.isLessThan(Quantity): bool', (a: CelQuantity, b: CelQuantity) => compared(a, b) < 0)
    .registerFunction('Quantity.compareTo(Quantity): int', (a: CelQuantity, b: CelQuantity) => BigInt(compared(a, b)))
    .registerFunction('Quantity.asInteger(): int', (a: CelQuantity) => BigInt(quantityValue(a.value)))
    .registerFunction('Quantity.asApproximateFloat(): double', (a: CelQuantity) => Number(a.value.nano) / 1e9)
    .registerFunction('Quantity.sign(): int', (a: CelQuantity) => BigInt(Math.sign(Number(a.value.nano))))
    .registerFunction('Quantity.add(Quantity): Quantity', (a: CelQuantity, b: CelQuantity) =>
      of(addQuantities(a.value, b.value)),
    )
    .registerFunction('Quantity.sub(Quantity): Quantity', (a: CelQuantity, b: CelQuantity) =>
      of(subtractQuantities(a.value, b.value)),
    )
    .registerFunction('isURL(string): bool', (text: string) => URL.canParse(text))
    .registerFunction('isIP(string): bool', (text: string) => isIP(text) !== 0)
    .registerFunction('isCIDR(string): bool', isCidr);
}

function compared(a: CelQuantity, b: CelQuantity): number {
  return compareQuantities(a.value, b.value);
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits) || isIP(address) === 0) return false;
  try {
    new BlockList().addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6');
    return true;
  } catch {
    // A prefix longer than the address is all that can be wrong by now.
    return false;
  }
}
