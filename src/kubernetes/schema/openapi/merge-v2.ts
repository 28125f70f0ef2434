/**
 * Puts what other servers say of their part of the API into the one document of everything. Source: kube-openapi `pkg/aggregator`, "FilterSpecByPaths" and
 * "MergeSpecsIgnorePathConflictRenamingDefinitionsAndParameters".
 */
import type { GroupVersion } from '../../object.ts';
import { getOwn, isEqual, isObject, type JsonObject, objectOf, setOwn } from '../json.ts';
import { openApiPath } from './document.ts';

export interface ForeignDocument {
  /** What of it is wanted. */
  readonly groupVersion: GroupVersion;
  readonly document: JsonObject;
}

/** What a document may nest, which somebody else has written. */
const MOST_LEVELS = 100;

/** True for a value whose levels can be walked. */
export function isShallow(value: unknown, left = MOST_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return left > 0 && Object.values(value).every((each) => isShallow(each, left - 1));
}

/** `own` with the paths of each group version, unless it has them itself, and the definitions that they lead to. A definition that says something else under a name that is taken gets another. */
export function mergeOpenApiV2(own: JsonObject, foreign: readonly ForeignDocument[]): JsonObject {
  const paths = { ...objectOf(own['paths']) };
  const definitions = { ...objectOf(own['definitions']) };
  for (const { groupVersion, document } of foreign) {
    const wanted = pathsBelow(`/${openApiPath(groupVersion)}`, document).filter(
      ([path]) => !Object.hasOwn(paths, path),
    );
    const inlined = wanted.map(
      ([path, item]) => [path, withParameters(item, objectOf(document['parameters']))] as const,
    );
    const reached = reachedFrom(inlined, objectOf(document['definitions']));
    const names = namesFor(reached, definitions);
    for (const [path, item] of inlined) setOwn(paths, path, renamed(item, names));
    for (const [name, definition] of reached) setOwn(definitions, names.get(name)!, renamed(definition, names));
  }
  return { ...own, paths, definitions };
}

function pathsBelow(root: string, document: JsonObject): readonly (readonly [path: string, item: unknown])[] {
  return Object.entries(objectOf(document['paths'])).filter(([path]) => path === root || path.startsWith(`${root}/`));
}

const parameterPrefix = '#/parameters/';
const definitionPrefix = '#/definitions/';

/** Upstream's servers share parameters between operations; ours say them where they are. */
function withParameters(item: unknown, shared: JsonObject): unknown {
  return mapped(item, (reference) => {
    const name = reference.startsWith(parameterPrefix) ? reference.slice(parameterPrefix.length) : undefined;
    return name === undefined ? { $ref: reference } : (getOwn(shared, name) ?? {});
  });
}

/** All definitions that a value leads to, in the order they are met. */
function reachedFrom(value: unknown, definitions: JsonObject): ReadonlyMap<string, unknown> {
  const reached = new Map<string, unknown>();
  const follow = (from: unknown) => {
    mapped(from, (reference) => {
      const name = definitionName(reference);
      if (name !== undefined && !reached.has(name)) reached.set(name, getOwn(definitions, name) ?? { type: 'object' });
      return {};
    });
  };
  follow(value);
  // What is put in meanwhile is walked too.
  for (const definition of reached.values()) follow(definition);
  return reached;
}

/**
 * What the definitions of a document are called beside those that are there. A name is shared only where both say the same once all references have their new names, for the same
 * name may mean something else to each: so whoever refers to a definition that gets another name may need one too.
 */
function namesFor(reached: ReadonlyMap<string, unknown>, taken: JsonObject): ReadonlyMap<string, string> {
  const names = new Map(Array.from(reached.keys(), (name) => [name, name]));
  const counts = new Map<string, number>();
  const isFree = (name: string, definition: unknown) => {
    const own = names.get(name)!;
    if (Object.hasOwn(taken, own)) return isEqual(taken[own], renamed(definition, names));
    return own === name || !reached.has(own);
  };
  // Most definitions come before those that they refer to. Counts only grow, so this ends.
  const all = [...reached].toReversed();
  for (let isSettled = false; !isSettled;) {
    isSettled = true;
    for (const [name, definition] of all)
      while (!isFree(name, definition)) {
        const count = (counts.get(name) ?? 1) + 1;
        counts.set(name, count);
        names.set(name, `${name}_v${count}`);
        isSettled = false;
      }
  }
  return names;
}

function renamed(value: unknown, names: ReadonlyMap<string, string>): unknown {
  return mapped(value, (reference) => {
    const name = definitionName(reference);
    return { $ref: name === undefined ? reference : `${definitionPrefix}${names.get(name)}` };
  });
}

function definitionName(reference: string): string | undefined {
  return reference.startsWith(definitionPrefix) ? reference.slice(definitionPrefix.length) : undefined;
}

/** A copy in which each reference is what `at` makes of it. */
function mapped(value: unknown, at: (reference: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => mapped(each, at));
  if (!isObject(value)) return value;
  const reference = getOwn(value, '$ref');
  if (typeof reference === 'string') return at(reference);
  const copy: { [name: string]: unknown } = {};
  for (const [name, each] of Object.entries(value)) setOwn(copy, name, mapped(each, at));
  return copy;
}
