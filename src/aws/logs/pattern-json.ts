import { comparison, malformed, readExpression, tokenize, type Value } from './pattern-condition.ts';
import type { Matcher } from './pattern-regex.ts';

/** Compiles `{ $.a.b[0] = "x" && ($.n > 5 || $.c NOT EXISTS) }`. A message that is not a JSON object or array never matches. */
export function compileJson(text: string): Matcher {
  if (!text.endsWith('}')) throw malformed(text);
  const tokens = tokenize(text.slice(1, -1));
  const holds = readExpression<Value>(tokens, readCondition);
  if (tokens.length) throw malformed(text);
  return (message) => {
    const value = parse(message);
    return value !== undefined && holds(value);
  };
}

function parse(message: string): object | undefined {
  if (!/^\s*[{[]/.test(message)) return undefined;
  try {
    return JSON.parse(message) as object;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readCondition(tokens: string[]): (subject: Value) => boolean {
  const select = selectorOf(tokens.shift() ?? '');
  const operator = tokens.shift() ?? '';
  const operand = tokens.shift() ?? '';
  if (/^NOT$/i.test(operator) && /^EXISTS$/i.test(operand)) return (subject) => select(subject) === undefined;
  if (/^IS$/i.test(operator)) {
    const expected = { NULL: null, TRUE: true, FALSE: false }[operand.toUpperCase()];
    if (expected === undefined) throw malformed(`${operator} ${operand}`);
    return (subject) => select(subject) === expected;
  }
  const test = comparison(operator, operand);
  return (subject) => test(select(subject));
}

/** `$.a.b[0]`, `$.*` and `$['a b']`: the steps from the root. */
function selectorOf(text: string): (subject: Value) => Value {
  if (!text.startsWith('$')) throw malformed(text);
  const steps = [...text.slice(1).matchAll(/\.([^.[\]]+)|\[(\d+)\]|\['([^']+)'\]/g)];
  if (steps.map(([whole]) => whole).join('') !== text.slice(1)) throw malformed(text);
  const keys = steps.map(([, name, index, quoted]) => name ?? quoted ?? Number(index));
  return (subject) => {
    let value = subject;
    for (const key of keys) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as { readonly [key: string | number]: Value })[key];
    }
    return value;
  };
}
