import { BlockList, isIP } from 'node:net';
import { PolicyFault, type PolicyCondition } from './document.ts';
import { compilePattern, type ContextLookup, type PatternOptions } from './pattern.ts';

/** Whether a statement's condition holds in the context of one decision. */
export type Condition = (lookup: ContextLookup) => boolean;

/** Whether one value of the context matches one of a policy's values. */
type Match = (value: string, lookup: ContextLookup) => boolean;

interface Operator {
  /** `StringNotEquals` and the like: true when nothing matches, and when the key is absent. */
  readonly isNegated: boolean;
  compile(policyValue: string, hasVariables: boolean): Match;
}

/** Compiles one condition. Throws `PolicyFault` for an operator that there is not or a value it cannot take. */
export function compileCondition(condition: PolicyCondition, hasVariables: boolean): Condition {
  const { set, name, isOptional } = partsOf(condition.operator);
  const key = condition.key.toLowerCase();
  if (name === 'Null') return compileNull(key, condition.values);
  const operator = operators.get(name);
  if (!operator) throw new PolicyFault(`Invalid Condition type : ${condition.operator}.`);
  const { isNegated } = operator;
  const candidates = condition.values.map((value) => operator.compile(value, hasVariables));
  const satisfies = (value: string, lookup: ContextLookup) =>
    candidates.some((candidate) => candidate(value, lookup)) !== isNegated;
  return (lookup) => {
    const values = lookup(key);
    if (!values?.length) return isOptional || set === 'ForAllValues' || (isNegated && set !== 'ForAnyValue');
    const holds = (value: string) => satisfies(value, lookup);
    // Without a set prefix several values count as "any" for a positive operator and as "none" for a negated one.
    return set === 'ForAllValues' || (set === undefined && isNegated) ? values.every(holds) : values.some(holds);
  };
}

function partsOf(operator: string): {
  set: 'ForAllValues' | 'ForAnyValue' | undefined;
  name: string;
  isOptional: boolean;
} {
  const match = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(operator)!;
  return {
    set: match[1] as 'ForAllValues' | 'ForAnyValue' | undefined,
    name: match[2]!,
    isOptional: match[3] !== undefined,
  };
}

function compileNull(key: string, values: readonly string[]): Condition {
  const mustBeAbsent = values.map((value) => value.toLowerCase() === 'true');
  return (lookup) => mustBeAbsent.includes(!lookup(key)?.length);
}

function text(options: Omit<PatternOptions, 'hasVariables'>): Operator['compile'] {
  return (value, hasVariables) => compilePattern(value, { ...options, hasVariables });
}

/** Each of the six parts of an ARN is compared by itself, so that a `*` never reaches across a colon. */
function arn(value: string, hasVariables: boolean): Match {
  const patterns = splitArn(value).map((part) => compilePattern(part, { hasVariables }));
  return (candidate, lookup) => {
    const parts = splitArn(candidate);
    return parts.length === patterns.length && patterns.every((pattern, index) => pattern(parts[index]!, lookup));
  };
}

/** Splits at the first five colons, leaving variables such as `${aws:username}` whole. */
function splitArn(text: string): string[] {
  const parts = text.match(/(?:\$\{[^}]*\}|[^:])*(?::|$)/g)?.slice(0, text.endsWith(':') ? undefined : -1) ?? [];
  const plain = parts.map((part) => (part.endsWith(':') ? part.slice(0, -1) : part));
  return plain.length <= 6 ? plain : [...plain.slice(0, 5), plain.slice(5).join(':')];
}

function number(compare: (value: number, limit: number) => boolean): Operator['compile'] {
  return (value) => {
    const limit = Number(value);
    if (value.trim() === '' || Number.isNaN(limit))
      throw new PolicyFault(`Invalid numeric value in condition: ${value}`);
    return (candidate) => compare(Number(candidate), limit);
  };
}

function date(compare: (value: number, limit: number) => boolean): Operator['compile'] {
  return (value) => {
    const limit = instantOf(value);
    if (Number.isNaN(limit)) throw new PolicyFault(`Invalid date in condition: ${value}`);
    return (candidate) => compare(instantOf(candidate), limit);
  };
}

/** ISO 8601, or seconds since the epoch. */
function instantOf(value: string): number {
  return /^\d+(\.\d+)?$/.test(value) && value.length > 4 ? Number(value) * 1000 : Date.parse(value);
}

function address(value: string): Match {
  const [base = '', bits] = value.split('/');
  const family = isIP(base);
  const length = bits === undefined ? (family === 6 ? 128 : 32) : Number(bits);
  if (!family || !Number.isInteger(length) || length < 0 || length > (family === 6 ? 128 : 32))
    throw new PolicyFault(`Invalid IP address or CIDR in condition: ${value}`);
  const range = new BlockList();
  range.addSubnet(base, length, family === 6 ? 'ipv6' : 'ipv4');
  return (candidate) => isIP(candidate) === family && range.check(candidate, family === 6 ? 'ipv6' : 'ipv4');
}

const exact = text({ hasWildcards: false });
const exactIgnoringCase = text({ hasWildcards: false, ignoresCase: true });
const like = text({});

function both(positive: string, negative: string, compile: Operator['compile']): [string, Operator][] {
  return [
    [positive, { isNegated: false, compile }],
    [negative, { isNegated: true, compile }],
  ];
}

function ordered(prefix: string, make: typeof number): [string, Operator][] {
  const one = (name: string, compare: (value: number, limit: number) => boolean): [string, Operator] => [
    `${prefix}${name}`,
    { isNegated: false, compile: make(compare) },
  ];
  return [
    ...both(
      `${prefix}Equals`,
      `${prefix}NotEquals`,
      make((value, limit) => value === limit),
    ),
    one('LessThan', (value, limit) => value < limit),
    one('LessThanEquals', (value, limit) => value <= limit),
    one('GreaterThan', (value, limit) => value > limit),
    one('GreaterThanEquals', (value, limit) => value >= limit),
  ];
}

const operators = new Map<string, Operator>([
  ...both('StringEquals', 'StringNotEquals', exact),
  ...both('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', exactIgnoringCase),
  ...both('StringLike', 'StringNotLike', like),
  ...both('ArnEquals', 'ArnNotEquals', arn),
  ...both('ArnLike', 'ArnNotLike', arn),
  ...both('IpAddress', 'NotIpAddress', address),
  ...ordered('Numeric', number),
  ...ordered('Date', date),
  ['Bool', { isNegated: false, compile: exactIgnoringCase }],
  ['BinaryEquals', { isNegated: false, compile: exact }],
]);
