/** YAML bodies: server-side apply sends them. Read as YAML 1.1, as Kubernetes does. */
import { isAlias, isMap, isScalar, parseDocument, visit } from 'yaml';
import { strictPath } from './conform.ts';
import type { Duplicate, Parsed } from './parse-json.ts';

/** Throws `SyntaxError` for what is no YAML; aliases that would grow beyond measure are refused too. */
export function parseYaml(text: string): Parsed {
  const document = parseDocument(text, {
    version: '1.1',
    schema: 'yaml-1.1',
    merge: true,
    uniqueKeys: false,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || !/timestamp|binary|set|omap/.test(tag.tag)),
  });
  const [error] = document.errors;
  if (error) throw new SyntaxError(`error converting YAML to JSON: yaml: ${error.message.split('\n')[0]}`);
  refuseOddKeys(document);
  return { value: toJson(document), ...duplicatesIn(document) };
}

/** What is no text, number or truth is no name of a member in JSON. */
function refuseOddKeys(document: ReturnType<typeof parseDocument>): void {
  visit(document, {
    Pair(_, { key }) {
      if (key === null || isScalar(key) || isAlias(key)) return;
      throw new SyntaxError('error converting YAML to JSON: yaml: invalid map key');
    },
  });
}

function toJson(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    throw new SyntaxError(`error converting YAML to JSON: yaml: ${error instanceof Error ? error.message : ''}`);
  }
}

function duplicatesIn(document: ReturnType<typeof parseDocument>): Omit<Parsed, 'value'> {
  const found: Duplicate[] = [];
  const places = new Map<string, number>();
  let place = 0;
  visit(document, {
    Map(_, map, ancestors) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? key.value : key;
        const path = strictPath([...pathTo(map, ancestors), String(name)]);
        place += 1;
        if (seen.has(name)) found.push({ kind: 'duplicate', path, place });
        else if (!places.has(path)) places.set(path, place);
        seen.add(name);
      }
    },
  });
  return { duplicates: found, placeOf: (path) => places.get(path) ?? 0 };
}

/** The keys and indexes on the way to a node. */
function pathTo(node: unknown, ancestors: readonly unknown[]): readonly (string | number)[] {
  const chain = [...ancestors, node];
  return chain.flatMap((parent, index): readonly (string | number)[] => {
    const child = chain[index + 1];
    if (isPair(parent)) return [String(isScalar(parent.key) ? parent.key.value : parent.key)];
    const isSequence = typeof parent === 'object' && parent !== null && 'items' in parent && !isMap(parent);
    return isSequence ? [(parent.items as readonly unknown[]).indexOf(child)] : [];
  });
}

function isPair(node: unknown): node is { readonly key: unknown } {
  return typeof node === 'object' && node !== null && 'key' in node && 'value' in node;
}
