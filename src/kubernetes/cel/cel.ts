/**
 * The Common Expression Language as Kubernetes has it: rules of custom resources, conditions of admission. A small interface of our own, so that the library behind it can change.
 *
 * Values: numbers of an integer field are given as `bigint`, as CEL tells whole numbers and others apart (`celValue`).
 */
import { Environment } from '@marcbachmann/cel-js';
import { messageOf } from '#base';
import { meter, PER_CALL_LIMIT, withinCost } from './cost.ts';
import { registerLists } from './lists.ts';
import { registerOptional } from './optional.ts';
import { guardPatterns } from './patterns.ts';
import { registerQuantities } from './quantities.ts';
import { registerStrings } from './strings.ts';

export interface CelProgram {
  /** What the expression gives for these variables. Throws `CelError` when it has no value: a missing key, a wrong type, too high a cost. */
  evaluate(variables: { readonly [name: string]: unknown }): unknown;
  /** The variables that it names. */
  readonly mentions: (variable: string) => boolean;
}

export class CelError extends Error {}

/** Larger expressions are refused, and lists and calls beyond these. */
const limits = { maxAstNodes: 10_000, maxDepth: 200, maxListElements: 1000, maxMapEntries: 1000, maxCallArguments: 32 };

/** Compiles an expression over variables of any type. Throws `CelError` with the library's words for what is no expression. */
export function compileCel(expression: string, variables: readonly string[]): CelProgram {
  try {
    const parsed = environmentOf(variables).parse(expression);
    const { valid, error } = parsed.check();
    if (!valid) throw error ?? new Error('the expression is not valid');
    meter(parsed.ast);
    return {
      mentions: (variable) => new RegExp(`(?<![\\w.])${variable}(?!\\w)`).test(expression),
      evaluate(values) {
        try {
          // The library's answer has no type of its own.
          return withinCost(PER_CALL_LIMIT, () => parsed(values) as unknown);
        } catch (error) {
          throw new CelError(firstLine(error), { cause: error });
        }
      },
    };
  } catch (error) {
    throw new CelError(firstLine(error), { cause: error });
  }
}

/** A type of CEL, as far as rules need it: a name (`int`, `list<dyn>`), or the fields of an object. */
export type CelType = string | { readonly [field: string]: CelType };

/**
 * What is wrong with the types of an expression whose variables are of these types, undefined if nothing is; the answer of the right one is a truth. Throws `CelError` for what
 * is no expression.
 */
export function celTypeError(expression: string, variables: { readonly [name: string]: CelType }): string | undefined {
  const environment = makeEnvironment([]);
  for (const [name, type] of Object.entries(variables))
    if (typeof type === 'string') environment.registerVariable(name, type);
    else environment.registerVariable(name, { schema: mutable(type) });
  const { valid, type = 'dyn', error } = environment.check(expression);
  if (valid) return type === 'bool' || type === 'dyn' ? undefined : 'must evaluate to a bool';
  const message = firstLine(error);
  const missing = /^No such key: (.*)/.exec(message)?.[1];
  if (missing) return `undefined field '${missing}'`;
  // Two objects may be compared, though the library has no overload for it.
  return /\$/.test(message) ? undefined : message;
}

interface ObjectFields {
  [field: string]: string | ObjectFields;
}

function mutable(type: { readonly [field: string]: CelType }): ObjectFields {
  return Object.fromEntries(
    Object.entries(type).map(([name, one]) => [name, typeof one === 'string' ? one : mutable(one)]),
  );
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0]!;
}

const environments = new Map<string, Environment>();

/** Environments are few: one for each set of variables. */
function environmentOf(variables: readonly string[]): Environment {
  const key = variables.join();
  const known = environments.get(key) ?? makeEnvironment(variables);
  environments.set(key, known);
  return known;
}

function makeEnvironment(variables: readonly string[]): Environment {
  // `matches` is the library's own.
  guardPatterns();
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits,
  });
  for (const name of variables) environment.registerVariable(name, 'dyn');
  registerStrings(environment);
  registerLists(environment);
  registerQuantities(environment);
  registerOptional(environment);
  return environment;
}
