/** The part of JSONPath that definitions use in printer columns and subresources: names, quoted names, indexes, `[*]`, and filters on equality. */
import { StatusError } from '../../status.ts';

type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly isEqual: boolean; readonly value: unknown };

export type JsonPath = (object: unknown) => readonly unknown[];

/** Reads `.status.conditions[?(@.type=="Ready")].status`. Throws `BadRequest`. */
export function parseJsonPath(text: string): JsonPath {
  const steps = stepsOf(text);
  return (object) => follow(object, steps);
}

const stepForms =
  /\.(?<name>(?:[^.[\]\\]|\\.)+)|\[(?<index>-?\d+)\]|\[\*\]|\.\*|\[['"](?<quoted>(?:[^'"\\]|\\.)*)['"]\]|\[\?\(@(?<path>[^=!()]*)(?<operator>==|!=)(?<value>[^()]*)\)\]/y;

function stepsOf(text: string): readonly Step[] {
  const steps: Step[] = [];
  const path = text.startsWith('.') || text.startsWith('[') ? text : `.${text}`;
  stepForms.lastIndex = 0;
  while (stepForms.lastIndex < path.length) {
    const match = stepForms.exec(path);
    if (!match) throw new StatusError('BadRequest', `unrecognized JSONPath: ${text}`);
    steps.push(stepOf(match.groups ?? {}, text));
  }
  return steps;
}

function stepOf(
  { name, index, quoted, path, operator, value }: { readonly [group: string]: string | undefined },
  whole: string,
): Step {
  const own = name ?? quoted;
  if (own !== undefined) return { kind: 'name', name: own.replace(/\\(.)/g, '$1') };
  if (index !== undefined) return { kind: 'index', index: Number(index) };
  if (operator === undefined) return { kind: 'all' };
  const at = stepForms.lastIndex;
  const inner = stepsOf(path!.trim());
  // The inner path used the same expression.
  stepForms.lastIndex = at;
  return { kind: 'filter', path: inner, isEqual: operator === '==', value: literal(value!.trim(), whole) };
}

function literal(text: string, whole: string): unknown {
  const quoted = /^(['"])(.*)\1$/.exec(text);
  if (quoted) return quoted[2];
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw new StatusError('BadRequest', `unrecognized JSONPath: ${whole}`);
    throw error;
  }
}

function follow(object: unknown, steps: readonly Step[]): readonly unknown[] {
  let found: readonly unknown[] = [object];
  for (const step of steps) found = found.flatMap((value) => take(value, step));
  return found;
}

function take(value: unknown, step: Step): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  switch (step.kind) {
    case 'name':
      // An object's own members only: `constructor` is not one.
      return Object.hasOwn(value, step.name) ? [(value as { readonly [name: string]: unknown })[step.name]] : [];
    case 'index':
      return Array.isArray(value) && value.at(step.index) !== undefined ? [value.at(step.index)] : [];
    case 'all':
      return Object.values(value);
    case 'filter':
      return Object.values(value).filter((item) => {
        const [actual] = follow(item, step.path);
        return (actual === step.value) === step.isEqual;
      });
    default:
      return step satisfies never;
  }
}
