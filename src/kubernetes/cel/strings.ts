/** The string functions that Kubernetes adds to CEL: apiserver `pkg/cel/library/regex.go`, cel-go `ext/strings.go`. */
import type { Environment } from '@marcbachmann/cel-js';
import { patternOf } from './patterns.ts';

export function registerStrings(environment: Environment): void {
  environment
    .registerFunction('string.replace(string, string): string', (text: string, old: string, now: string) =>
      text.replaceAll(old, () => now),
    )
    .registerFunction('string.replace(string, string, int): string', replaceSome)
    .registerFunction('string.charAt(int): string', (text: string, at: bigint) => Array.from(text)[Number(at)] ?? '')
    .registerFunction('string.reverse(): string', (text: string) => Array.from(text).reverse().join(''))
    .registerFunction(
      'string.find(string): string',
      (text: string, pattern: string) => patternOf(pattern).exec(text)?.[0] ?? '',
    )
    .registerFunction('string.findAll(string): list', (text: string, pattern: string) =>
      Array.from(text.matchAll(new RegExp(patternOf(pattern), 'g')), ([found]) => found),
    )
    .registerFunction('string.findAll(string, int): list', (text: string, pattern: string, limit: bigint) =>
      Array.from(text.matchAll(new RegExp(patternOf(pattern), 'g')), ([found]) => found).slice(0, Number(limit)),
    )
    .registerFunction('string.format(list): string', format);
}

function replaceSome(text: string, old: string, now: string, limit: bigint): string {
  let left = limit < 0n ? Number.POSITIVE_INFINITY : Number(limit);
  return text.replaceAll(old, () => (left-- > 0 ? now : old));
}

/** `"%s has %d".format([name, count])`. */
function format(template: string, values: readonly unknown[]): string {
  let next = 0;
  return template.replace(/%(?:\.(\d+))?([sdfexXob%])/g, (_, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    const value = values[next];
    next += 1;
    return formatOne(value, verb, precision === undefined ? 6 : Number(precision));
  });
}

function formatOne(value: unknown, verb: string, precision: number): string {
  switch (verb) {
    case 'f':
      return Number(value).toFixed(precision);
    case 'e':
      return Number(value).toExponential(precision);
    case 'x':
      return BigInt(Number(value)).toString(16);
    case 'X':
      return BigInt(Number(value)).toString(16).toUpperCase();
    case 'o':
      return BigInt(Number(value)).toString(8);
    case 'b':
      return typeof value === 'boolean' ? String(value) : BigInt(Number(value)).toString(2);
    default:
      return textOf(value);
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? Number(one) : one));
}
