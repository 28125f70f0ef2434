/**
 * What evaluating an expression may cost, so that no author's rule and no client's value can hold up the process: a unit for each part of an expression each time it is looked
 * at, and more for what is long. Upstream's limits and words: apiserver `pkg/apis/cel/config.go` ("PerCallLimit", "RuntimeCELCostBudget"), cel-go `interpreter`.
 */

/** Of one expression. */
export const PER_CALL_LIMIT = 1_000_000;
/** Of all expressions that one request meets in one place: the rules of a custom resource, a policy. */
export const TOTAL_LIMIT = 10_000_000;

interface Budget {
  left: number;
  /** What is spent here is spent there too. */
  readonly outer: Budget | undefined;
}

// Evaluation does not wait, so that whoever evaluates is alone.
let current: Budget | undefined;

/** Runs `evaluate` with a bound on what it may cost. Throws when it is passed. */
export function withinCost<Value>(limit: number, evaluate: () => Value): Value {
  const outer = current;
  current = { left: limit, outer };
  try {
    return evaluate();
  } finally {
    current = outer;
  }
}

export function charge(cost: number): void {
  for (let budget = current; budget; budget = budget.outer) {
    budget.left -= cost;
    if (budget.left < 0) throw new Error('operation cancelled: actual cost limit exceeded');
  }
}

/** A node of the library's syntax tree, as far as it is used here. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly meta: { readonly alternate?: Node; readonly macro?: Evaluated; readonly evaluate: Evaluate };
  evaluate: Evaluate;
}

type Evaluate = (evaluator: unknown, node: unknown, context: unknown) => unknown;
type Evaluated = { readonly evaluate: Evaluate; readonly args?: unknown };

/** Operators that look into both of their sides, however deep these are. */
const comparing = new Set(['==', '!=', 'in']);
/** Functions that look at each character of their receiver, perhaps again and again. */
const matching = new Set<unknown>(['matches', 'find', 'findAll']);

/** Makes every node of a checked expression pay when it is evaluated. */
export function meter(root: unknown): void {
  const nodes = nodesIn(root);
  const compared = new Set([...nodes].filter(({ op }) => comparing.has(op)).flatMap(({ args }) => args));
  const matched = new Set([...nodes].flatMap(({ op, args }) => (op === 'rcall' ? receiverOf(args) : [])));
  for (const node of nodes) {
    const sizeOf = matched.has(node) ? matchedSize : compared.has(node) ? deepSize : shallowSize;
    const { alternate, macro, evaluate } = node.meta;
    // The library would put the function of the kind of node in this one's place at the first evaluation.
    node.evaluate = (evaluator, self, context) => {
      charge(1);
      const value = alternate
        ? alternate.evaluate(evaluator, alternate, context)
        : macro
          ? macro.evaluate(evaluator, macro, context)
          : evaluate.call(node, evaluator, self, context);
      charge(sizeOf(value));
      return value;
    };
  }
}

/** Every node beneath, with what macros have made of them. */
function nodesIn(root: unknown): ReadonlySet<Node> {
  const nodes = new Set<Node>();
  const waiting: unknown[] = [root];
  for (let next = waiting.pop(); next !== undefined || waiting.length; next = waiting.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    if (Array.isArray(next)) waiting.push(...(next as unknown[]));
    else if (isNode(next)) {
      if (nodes.has(next)) continue;
      nodes.add(next);
      waiting.push(next.args, next.meta.alternate, next.meta.macro);
    } else if (isParts(next)) waiting.push(next.args, next.iterable, next.init, next.step);
  }
  return nodes;
}

function isNode(value: object): value is Node {
  return 'op' in value && 'meta' in value;
}

/** What a comprehension, or a macro, is made of. */
function isParts(value: object): value is { readonly [Name in 'args' | 'iterable' | 'init' | 'step']?: unknown } {
  return 'step' in value || 'typeCheck' in value;
}

/** A call's arguments are the name of the function, the receiver, and the rest. */
function receiverOf(args: unknown): readonly unknown[] {
  const [name, receiver] = Array.isArray(args) ? (args as unknown[]) : [];
  return matching.has(name) ? [receiver] : [];
}

function matchedSize(value: unknown): number {
  return typeof value === 'string' ? value.length * 2 : 0;
}

/** A tenth of a unit for each character or entry that whoever gets the value may look at. */
function shallowSize(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) ? value.length / 10 : 0;
}

const deepSizes = new WeakMap<object, number>();

function deepSize(value: unknown): number {
  if (typeof value === 'string') return value.length / 10;
  if (typeof value !== 'object' || value === null) return 0.1;
  const known = deepSizes.get(value);
  if (known !== undefined) return known;
  const entries: Iterable<unknown> = value instanceof Map ? value.values() : Object.values(value);
  let size = 0.1;
  for (const entry of entries) size += deepSize(entry);
  deepSizes.set(value, size);
  return size;
}
