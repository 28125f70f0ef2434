/** Label and field selectors: reading them, and asking whether an object is selected. Behaviour: apimachinery `labels` and `fields`. */
import { StatusError } from './status.ts';
import type { LabelSelector as LabelSelectorObject } from './types.ts';

export type Operator = 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  /** For `in` and `notin` at least one, for `gt` and `lt` one whole number, otherwise none. */
  readonly values: readonly string[];
}

/** Requirements that must all hold; none: everything is selected. */
export interface LabelSelector {
  readonly requirements: readonly Requirement[];
  /** The selector that an absent `LabelSelector` object stands for. */
  readonly selectsNothing?: boolean;
}

export const everything: LabelSelector = { requirements: [] };
export const nothing: LabelSelector = { requirements: [], selectsNothing: true };

type Labels = Readonly<Record<string, string>> | undefined;

/** Whether the labels are selected. */
export function matches(selector: LabelSelector, labels: Labels): boolean {
  if (selector.selectsNothing) return false;
  return selector.requirements.every((requirement) => holds(requirement, valueOf(labels, requirement.key)));
}

function valueOf(labels: Labels, key: string): string | undefined {
  return labels && Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  return tests[operator](value, values);
}

const tests: { readonly [Name in Operator]: (value: string | undefined, values: readonly string[]) => boolean } = {
  exists: (value) => value !== undefined,
  absent: (value) => value === undefined,
  in: (value, values) => value !== undefined && values.includes(value),
  notin: (value, values) => value === undefined || !values.includes(value),
  gt: (value, values) => isInteger(value) && BigInt(value) > BigInt(values[0]!),
  lt: (value, values) => isInteger(value) && BigInt(value) < BigInt(values[0]!),
};

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d{1,19}$/.test(value);
}

/** The selector that a `LabelSelector` object of a spec means; an absent one selects nothing. Throws `BadRequest` for an operator that is none. */
export function labelSelectorOf(selector: LabelSelectorObject | undefined): LabelSelector {
  if (!selector) return nothing;
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => requirement(key, 'in', [value]));
  const expressions = (selector.matchExpressions ?? []).map((expression) =>
    requirement(expression.key, operatorOf(expression.operator), expression.values ?? []),
  );
  return { requirements: [...labels, ...expressions] };
}

/** The selector of a plain map, such as a service's: every label must have its value. An empty map selects everything. */
export function labelSelectorOfMap(labels: Labels): LabelSelector {
  return { requirements: Object.entries(labels ?? {}).map(([key, value]) => requirement(key, 'in', [value])) };
}

function operatorOf(name: string): Operator {
  const operator = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'absent' } as const;
  if (!Object.hasOwn(operator, name)) throw bad(`"${name}" is not a valid label selector operator`);
  return operator[name as keyof typeof operator];
}

/** Writes a selector as `parseLabelSelector` reads it, keys in order. */
export function formatLabelSelector({ requirements }: LabelSelector): string {
  return requirements
    .toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ key, operator, values }) => formats[operator](key, values))
    .join(',');
}

const setOf = (values: readonly string[]) => `(${values.toSorted().join(',')})`;
const formats: { readonly [Name in Operator]: (key: string, values: readonly string[]) => string } = {
  exists: (key) => key,
  absent: (key) => `!${key}`,
  gt: (key, [value]) => `${key}>${value}`,
  lt: (key, [value]) => `${key}<${value}`,
  in: (key, values) => (values.length === 1 ? `${key}=${values[0]}` : `${key} in ${setOf(values)}`),
  notin: (key, values) => (values.length === 1 ? `${key}!=${values[0]}` : `${key} notin ${setOf(values)}`),
};

/** Reads `app=web,tier in (a, b),!legacy`. Throws `BadRequest` in upstream's words. */
export function parseLabelSelector(text: string): LabelSelector {
  try {
    return { requirements: new SelectorParser(text).parse() };
  } catch (error) {
    if (error instanceof StatusError) throw bad(`unable to parse requirement: ${error.message}`);
    throw error;
  }
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}

const symbols = new Set(['(', ')', ',', '!', '=', '==', '!=', '>', '<']);
const tokenPattern = /\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)/g;

/** Recursive descent over the tokens, one requirement at a time. */
class SelectorParser {
  readonly #tokens: readonly string[];
  #position = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  parse(): readonly Requirement[] {
    const requirements: Requirement[] = [];
    while (this.#peek() !== '') {
      requirements.push(this.#requirement());
      const next = this.#take();
      if (next === '') break;
      if (next !== ',') throw bad(`found '${next}', expected: ',' or 'end of string'`);
      if (this.#peek() === '') throw bad("found '', expected: identifier after ','");
    }
    return requirements;
  }

  #peek(): string {
    return this.#tokens[this.#position] ?? '';
  }

  #take(): string {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #requirement(): Requirement {
    const isNegated = this.#peek() === '!';
    if (isNegated) this.#take();
    const key = this.#take();
    if (key === '' || symbols.has(key)) throw bad(`found '${key}', expected: identifier`);
    checkKey(key);
    const next = this.#peek();
    if (isNegated || next === '' || next === ',') return requirement(key, isNegated ? 'absent' : 'exists', []);
    return this.#comparison(key, this.#take());
  }

  #comparison(key: string, sign: string): Requirement {
    switch (sign) {
      case 'in':
      case 'notin':
        return requirement(key, sign, this.#set());
      case '=':
      case '==':
        return requirement(key, 'in', [this.#value()]);
      case '!=':
        return requirement(key, 'notin', [this.#value()]);
      case '>':
      case '<':
        return requirement(key, sign === '>' ? 'gt' : 'lt', [this.#value()]);
      default:
        throw bad(`found '${sign}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  /** A value may be missing: `a=` and `a=,b` ask for the empty one. */
  #value(): string {
    const next = this.#peek();
    if (next === '' || next === ',') return '';
    if (symbols.has(next)) throw bad(`found '${next}', expected: identifier`);
    return checkedValue(this.#take());
  }

  #set(): readonly string[] {
    const open = this.#take();
    if (open !== '(') throw bad(`found '${open}' expected: '('`);
    const values: string[] = [];
    for (;;) {
      const next = this.#peek();
      values.push(next === ',' || next === ')' ? '' : checkedValue(this.#take()));
      const separator = this.#take();
      if (separator === ')') return [...new Set(values)];
      if (separator !== ',') throw bad(`found '${separator}', expected: ',' or ')'`);
    }
  }
}

function tokensOf(text: string): readonly string[] {
  return Array.from(text.matchAll(tokenPattern), (match) => match[1]!);
}

function requirement(key: string, operator: Operator, values: readonly string[]): Requirement {
  if ((operator === 'gt' || operator === 'lt') && !isInteger(values[0]))
    throw bad(
      `values[0][${key}]: Invalid value: "${values[0]}": for 'Gt', 'Lt' operators, the value must be an integer`,
    );
  return { key, operator, values };
}

const namePattern = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const prefixPattern = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

function checkKey(key: string): void {
  const parts = key.split('/');
  const [prefix, name] = parts.length === 2 ? parts : ['a', key];
  if (parts.length <= 2 && namePattern.test(name!) && prefix!.length <= 253 && prefixPattern.test(prefix!)) return;
  throw bad(
    `key: Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  );
}

function checkedValue(value: string): string {
  if (symbols.has(value) || !namePattern.test(value))
    throw bad(
      `values[0]: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    );
  return value;
}

/** One term of a field selector: `spec.nodeName=n1` or `status.phase!=Failed`. */
export interface FieldRequirement {
  readonly field: string;
  readonly isNegated: boolean;
  readonly value: string;
}

/** Reads `a=b,c!=d`, with `\` before a `,`, `=` or `\` that belongs to a value. Throws `BadRequest` in upstream's words. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  return splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^([^=!\\]*?)(!=|==|=)([^]*)$/.exec(term);
      if (!match) throw bad(`invalid selector: '${text}'; can't understand '${term}'`);
      return { field: match[1]!, isNegated: match[2] === '!=', value: unescape(match[3]!) };
    });
}

function splitTerms(text: string): readonly string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === ',') {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...terms, text.slice(start)];
}

function unescape(value: string): string {
  if (/(?:^|[^\\])(?:\\\\)*=/.test(value)) throw bad(`invalid field selector: unescaped character in value: =`);
  return value.replace(/\\([^])?/g, (sequence, character: string | undefined) => {
    if (character === undefined || !'\\,='.includes(character))
      throw bad(`invalid field selector: invalid escape sequence: ${sequence}`);
    return character;
  });
}

/** Whether every term holds; `read` gives the value of a field, the empty string for an absent one. */
export function matchesFields(terms: readonly FieldRequirement[], read: (field: string) => string): boolean {
  return terms.every(({ field, isNegated, value }) => (read(field) === value) !== isNegated);
}
