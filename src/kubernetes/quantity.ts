/**
 * Amounts of resources, as Kubernetes writes them: `100m`, `1.5Gi`, `2e3`. Exact: a quantity is a whole number of billionths, what is finer is rounded away from zero.
 * Behaviour: apimachinery `api/resource`, "Quantity".
 */
import { DabbaError } from '#base';

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The amount in billionths. */
  readonly nano: bigint;
  /** How it was written, and will be. */
  readonly format: QuantityFormat;
}

const nanosInOne = 1_000_000_000n;
/** Larger amounts are cut to this one. */
const largest = (2n ** 63n - 1n) * nanosInOne;
const decimalSuffixes = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const suffixOfExponent = new Map([...decimalSuffixes].map(([suffix, exponent]) => [exponent, suffix] as const));

const shape = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;
/** No honest amount is longer; the digits of a hostile one would cost quadratic time. */
const longest = 512;

/**
 * Reads a quantity. Throws `InvalidArgument` with upstream's message.
 */
export function parseQuantity(text: string): Quantity {
  const match = text.length > longest ? null : shape.exec(text);
  if (!match || text === '') throw malformed();
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '')
    throw new DabbaError('InvalidArgument', 'unable to parse numeric part of quantity');
  const { base, exponent, format } = readSuffix(suffix);
  const scaled = scale(BigInt(whole + fraction), fraction.length, { base, exponent });
  const capped = scaled > largest ? largest : scaled;
  return { nano: sign === '-' ? -capped : capped, format };
}

/** True if `parseQuantity` takes it. */
export function isQuantity(text: string): boolean {
  try {
    parseQuantity(text);
    return true;
  } catch {
    // What it throws is the verdict; nothing else can fail in there.
    return false;
  }
}

function malformed(): DabbaError {
  return new DabbaError(
    'InvalidArgument',
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  );
}

interface Scale {
  readonly base: 2 | 10;
  readonly exponent: number;
}

function readSuffix(suffix: string): Scale & { readonly format: QuantityFormat } {
  const decimal = decimalSuffixes.get(suffix);
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: 'DecimalSI' };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return { base: 2, exponent: binary * 10, format: 'BinarySI' };
  const exponent = /^[eE]([-+]?\d{1,9})$/.exec(suffix)?.[1];
  if (exponent === undefined) throw new DabbaError('InvalidArgument', "unable to parse quantity's suffix");
  return { base: 10, exponent: Number(exponent), format: 'DecimalExponent' };
}

/** `digits`, with a point before the last `decimals` of them, times the suffix: in billionths, rounded up. */
function scale(digits: bigint, decimals: number, { base, exponent }: Scale): bigint {
  if (digits === 0n) return 0n;
  if (base === 2) return divideUp(digits * nanosInOne * 2n ** BigInt(exponent), 10n ** BigInt(decimals));
  const shift = exponent - decimals + 9;
  if (shift > 40) return largest;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  return -shift > longest ? 1n : divideUp(digits, 10n ** BigInt(-shift));
}

function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor > 0n ? quotient + 1n : quotient;
}

/** The one way to write an amount: no fraction, the largest suffix that needs none. `1000m` is `1`, `1024Ki` is `1Mi`, `0.5` is `500m`. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  const isWhole = nano % nanosInOne === 0n;
  const isSmall = nano > -1024n * nanosInOne && nano < 1024n * nanosInOne;
  return format === 'BinarySI' && isWhole && !isSmall
    ? formatBinary(nano / nanosInOne)
    : formatDecimal(nano, format === 'DecimalExponent');
}

function formatBinary(value: bigint): string {
  let power = 0;
  let amount = value;
  for (; amount % 1024n === 0n && power < binarySuffixes.length - 1; power += 1) amount /= 1024n;
  return `${amount}${binarySuffixes[power]}`;
}

function formatDecimal(nano: bigint, isExponent: boolean): string {
  let exponent = -9;
  let amount = nano;
  for (; amount % 1000n === 0n && exponent < 18; exponent += 3) amount /= 1000n;
  if (isExponent) return exponent === 0 ? `${amount}` : `${amount}e${exponent}`;
  return `${amount}${suffixOfExponent.get(exponent)}`;
}

/** `formatQuantity(parseQuantity(text))`. Throws `InvalidArgument`. */
export function canonicalQuantity(text: string): string {
  return isPlainlyCanonical.test(text) ? text : formatQuantity(parseQuantity(text));
}

/** What most quantities are; a shortcut, not a definition. */
const isPlainlyCanonical = /^(?:0|[1-9]\d{0,2}(?:m|k|M|G|Mi|Gi)?)$/;

/** The amount as a number, rounded up to a whole one: memory in bytes. */
export function quantityValue(quantity: Quantity | string): number {
  return roundUp(nanoOf(quantity), nanosInOne);
}

/** The amount in thousandths, rounded up: processor time. */
export function milliValue(quantity: Quantity | string): number {
  return roundUp(nanoOf(quantity), 1_000_000n);
}

function nanoOf(quantity: Quantity | string): bigint {
  return (typeof quantity === 'string' ? parseQuantity(quantity) : quantity).nano;
}

/** Away from zero, as upstream rounds. */
function roundUp(nano: bigint, unit: bigint): number {
  return Number(nano < 0n ? -divideUp(-nano, unit) : divideUp(nano, unit));
}

/** A quantity of `value` (which may have decimals) in a format. */
export function quantityOf(value: number, format: QuantityFormat = 'DecimalSI'): Quantity {
  const whole = Math.trunc(value);
  return { nano: BigInt(whole) * nanosInOne + BigInt(Math.round((value - whole) * 1e9)), format };
}

/** A quantity of so many thousandths: `milliQuantity(250)` is `250m`. */
export function milliQuantity(milli: number): Quantity {
  return { nano: BigInt(Math.round(milli)) * 1_000_000n, format: 'DecimalSI' };
}

/** Negative, zero or positive, as `a` is less than, equal to or more than `b`. */
export function compareQuantities(a: Quantity | string, b: Quantity | string): number {
  const difference = nanoOf(a) - nanoOf(b);
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** The sum, in the format of the first that is not zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format };
}

export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano - b.nano, format: a.nano === 0n ? b.format : a.format };
}
