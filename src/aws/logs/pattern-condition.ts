import { ANY, hasForm } from '../wildcard.ts';
import { AwsError } from '../errors.ts';
import { regexMatcher } from './pattern-regex.ts';

/** One value of an event: a JSON value, or the text of a column. `undefined` when the event lacks it. */
export type Value = unknown;
export type Test = (value: Value) => boolean;

/** Tokens of a condition: parentheses, connectives, operators, quoted strings, regular expressions, words. */
const TOKEN = /\s*(&&|\|\||!=|<=|>=|[()=<>]|"(?:[^"\\]|\\.)*"|%[^%]+%|[^\s()=<>!&|"]+)/y;

export function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (!match) throw malformed(text);
    tokens.push(match[1]!);
  }
  return tokens;
}

export function malformed(text: string): AwsError {
  return new AwsError('InvalidParameterException', `Invalid filter pattern: "${text}"`);
}

/** The test of one comparison, `= "error"`, `>= 100`, `!= 4*`. Numbers compare as numbers, text with `*` as wildcard. */
export function comparison(operator: string, operand: string): Test {
  switch (operator) {
    case '=':
      return equality(operand);
    case '!=': {
      const equals = equality(operand);
      return (value) => value !== undefined && !equals(value);
    }
    case '<':
      return numeric(operand, (value, bound) => value < bound);
    case '<=':
      return numeric(operand, (value, bound) => value <= bound);
    case '>':
      return numeric(operand, (value, bound) => value > bound);
    case '>=':
      return numeric(operand, (value, bound) => value >= bound);
    default:
      throw malformed(`${operator} ${operand}`);
  }
}

function numeric(operand: string, holds: (value: number, bound: number) => boolean): Test {
  const bound = Number(operand);
  if (Number.isNaN(bound)) throw malformed(operand);
  return (value) => {
    const number = toNumber(value);
    return number !== undefined && holds(number, bound);
  };
}

function toNumber(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !value.trim()) return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}

function equality(operand: string): Test {
  if (operand.startsWith('%')) {
    const matches = regexMatcher(operand.slice(1, -1));
    return (value) => isScalar(value) && matches(String(value));
  }
  const isQuoted = operand.startsWith('"');
  const literal = isQuoted ? operand.slice(1, -1).replaceAll(/\\(.)/g, '$1') : operand;
  const form = literal.replaceAll('*', ANY);
  const number = isQuoted || !literal ? Number.NaN : Number(literal);
  return (value) => isScalar(value) && (hasForm(form, String(value)) || toNumber(value) === number);
}

function isScalar(value: Value): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Reads `a && (b || c)`; `leaf` reads one condition from the tokens. `&&` binds tighter. Consumes what it reads. */
export function readExpression<T>(
  tokens: string[],
  leaf: (tokens: string[]) => (subject: T) => boolean,
): (subject: T) => boolean {
  const alternatives = [readAll(tokens, leaf)];
  while (tokens[0] === '||') {
    tokens.shift();
    alternatives.push(readAll(tokens, leaf));
  }
  return (subject) => alternatives.some((holds) => holds(subject));
}

function readAll<T>(tokens: string[], leaf: (tokens: string[]) => (subject: T) => boolean): (subject: T) => boolean {
  const conditions = [readOne(tokens, leaf)];
  while (tokens[0] === '&&') {
    tokens.shift();
    conditions.push(readOne(tokens, leaf));
  }
  return (subject) => conditions.every((holds) => holds(subject));
}

function readOne<T>(tokens: string[], leaf: (tokens: string[]) => (subject: T) => boolean): (subject: T) => boolean {
  if (tokens[0] !== '(') return leaf(tokens);
  tokens.shift();
  const inner = readExpression(tokens, leaf);
  if (tokens.shift() !== ')') throw malformed(tokens.join(' '));
  return inner;
}
