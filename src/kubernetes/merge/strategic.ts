/**
 * Strategic merge patches: a merge patch that knows from the schema which lists merge by key, with the directives that kubectl computes. Behaviour: apimachinery
 * `util/strategicpatch`, "StrategicMergePatch" and the community's `strategic-merge-patch.md`.
 */
import type { Field, Schema } from '../schema/schema.ts';
import type { JsonObject } from '../schema/json.ts';
import { isEqual, isObject, setOwn } from '../schema/json.ts';
import { StatusError } from '../status.ts';
import { orderLike } from './strategic-order.ts';
import { rejected } from './rejected.ts';

const directive = '$patch';
const retainKeys = '$retainKeys';
const deleteFromList = '$deleteFromPrimitiveList/';
const elementOrder = '$setElementOrder/';

/** Merges `patch` into `document`. Leaves both alone. Throws `BadRequest` or `Invalid` (422) for directives that make no sense. */
export function strategicPatch(schema: Schema, document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw new StatusError('BadRequest', 'invalid JSON document');
  return mergeObject(isObject(document) ? document : {}, patch, schema);
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}

type Mutable = Record<string, unknown>;

function mergeObject(original: JsonObject, patch: JsonObject, schema: Schema): JsonObject {
  if (Object.hasOwn(patch, directive)) return directed(patch);
  const result: Mutable = retained({ ...original }, patch);
  for (const [name, value] of Object.entries(patch)) {
    if (name === retainKeys || name.startsWith(elementOrder)) continue;
    if (name.startsWith(deleteFromList)) deleteItems(result, name.slice(deleteFromList.length), value);
    else if (value === null) delete result[name];
    else setOwn(result, name, mergeValue(ownOf(result, name), value, fieldOf(schema, name)));
  }
  for (const [name, order] of Object.entries(patch))
    if (name.startsWith(elementOrder))
      reorder(result, name.slice(elementOrder.length), { order, original, patch, schema });
  return result;
}

/** `$patch` in an object: `replace` it by the rest of the patch, or `delete` what it has. */
function directed(patch: JsonObject): JsonObject {
  const { [directive]: what, ...rest } = patch;
  if (what === 'replace') return withoutDirectives(rest) as JsonObject;
  if (what === 'delete') return {};
  throw bad(`unknown patch type: '${String(what)}' in map: ${JSON.stringify(patch)}`);
}

function retained(original: Mutable, patch: JsonObject): Mutable {
  const keys = patch[retainKeys];
  if (keys === undefined) return original;
  const isList = Array.isArray(keys) && keys.every((key) => typeof key === 'string');
  const strays = Object.entries(patch).filter(
    ([name, value]) => name !== retainKeys && value !== null && isList && !keys.includes(name),
  );
  if (!isList || strays.length > 0) throw bad('invalid patch format of retainKeys');
  return Object.fromEntries(Object.entries(original).filter(([name]) => keys.includes(name)));
}

function ownOf(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function deleteItems(result: Mutable, name: string, items: unknown): void {
  if (!Array.isArray(items)) throw bad('invalid patch format of primitive list');
  const list = ownOf(result, name);
  if (Array.isArray(list)) result[name] = list.filter((item) => !items.some((one) => isEqual(one, item)));
}

/** What a patch says of a field; a map's values and unknown fields merge plainly. */
type FieldRule = Pick<Field, 'schema' | 'patchMergeKey' | 'patchStrategy'>;

const untyped: FieldRule = { schema: { type: 'any' } };

function fieldOf(schema: Schema, name: string): FieldRule {
  if (schema.type === 'object') return schema.fields.get(name) ?? untyped;
  return schema.type === 'map' ? { schema: schema.values } : untyped;
}

function mergeValue(original: unknown, patch: unknown, rule: FieldRule): unknown {
  const strategies = rule.patchStrategy?.split(',') ?? [];
  if (isObject(patch))
    return isObject(original) && !strategies.includes('replace')
      ? mergeObject(original, patch, rule.schema)
      : withoutDirectives(patch);
  if (!Array.isArray(patch)) return patch;
  if (!Array.isArray(original) || !strategies.includes('merge')) return withoutDirectives(patch);
  return mergeList(original, patch, rule);
}

function mergeList(original: readonly unknown[], patch: readonly unknown[], rule: FieldRule): readonly unknown[] {
  if (original.length === 0 && patch.length === 0) return original;
  const isOfObjects = [...original, ...patch].every(isObject);
  if (!isOfObjects) {
    if ([...original, ...patch].some(isObject)) throw rejected('list element types are not identical');
    const merged = [...original, ...patch.filter((item) => !original.some((one) => isEqual(one, item)))];
    return orderLike(merged, { patchOrder: patch, originalOrder: original, key: undefined });
  }
  const key = rule.patchMergeKey;
  if (!key) throw rejected('cannot merge lists without merge key');
  return mergeByKey(original as readonly JsonObject[], patch as readonly JsonObject[], { key, rule });
}

interface KeyedList {
  readonly key: string;
  readonly rule: FieldRule;
}

function mergeByKey(original: readonly JsonObject[], patch: readonly JsonObject[], { key, rule }: KeyedList) {
  const plain = patch.filter((item) => !Object.hasOwn(item, directive));
  if (patch.some((item) => item[directive] === 'replace')) return withoutDirectives(plain) as readonly unknown[];
  const deletions = patch.filter((item) => Object.hasOwn(item, directive));
  const merged = original.filter((item) => !deletions.some((one) => isEqual(keyOfDeletion(one, key), item[key])));
  const items = rule.schema.type === 'array' ? rule.schema.items : untyped.schema;
  for (const item of plain) {
    const at = merged.findIndex((one) => isEqual(one[key], keyOf(item, key)));
    if (at < 0) merged.push(withoutDirectives(item) as JsonObject);
    else merged[at] = mergeObject(merged[at]!, item, items);
  }
  return orderLike(merged, { patchOrder: plain, originalOrder: original, key });
}

function keyOf(item: JsonObject, key: string): unknown {
  const value = ownOf(item, key);
  if (value === undefined) throw rejected(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  return value;
}

function keyOfDeletion(item: JsonObject, key: string): unknown {
  if (item[directive] === 'delete') return keyOf(item, key);
  if (item[directive] === 'merge') throw rejected('merging lists cannot yet be specified in the patch');
  throw bad(`unknown patch type: '${String(item[directive])}' in map: ${JSON.stringify(item)}`);
}

interface Reorder {
  readonly order: unknown;
  readonly original: JsonObject;
  readonly patch: JsonObject;
  readonly schema: Schema;
}

/** `$setElementOrder/x`: the items it names come in its order; others stay where they were relative to those. */
function reorder(result: Mutable, name: string, { order, original, patch, schema }: Reorder): void {
  const list = ownOf(result, name);
  if (!Array.isArray(order)) throw bad('invalid patch format of setElementOrder list');
  if (!Array.isArray(list)) return;
  const key = fieldOf(schema, name).patchMergeKey;
  const given = ownOf(patch, name);
  if (Array.isArray(given)) checkOrder(given, order, key);
  const before = ownOf(original, name);
  const originalOrder = Array.isArray(before) ? before : [];
  result[name] = orderLike(list, { patchOrder: order, originalOrder, key });
}

/** Every item that the patch sets must stand in the order list, in the same sequence. */
function checkOrder(items: readonly unknown[], order: readonly unknown[], key: string | undefined): void {
  const identity = (item: unknown) => (key && isObject(item) ? item[key] : item);
  let at = 0;
  for (const item of items) {
    if (isObject(item) && Object.hasOwn(item, directive)) continue;
    while (at < order.length && !isEqual(identity(order[at]), identity(item))) at += 1;
    if (at === order.length)
      throw rejected(
        `The order in patch list:\n${JSON.stringify(items)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}`,
      );
  }
}

/** What is new needs no directives: it is taken without them, and without the nulls that remove nothing. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value))
    return value.filter((item) => !(isObject(item) && item[directive] === 'delete')).map(withoutDirectives);
  if (!isObject(value)) return value;
  if (value[directive] === 'delete') return {};
  const result: Mutable = {};
  for (const [name, item] of Object.entries(value))
    if (
      item !== null &&
      name !== directive &&
      name !== retainKeys &&
      !/^\$(?:deleteFromPrimitiveList|setElementOrder)\//.test(name)
    )
      setOwn(result, name, withoutDirectives(item));
  return result;
}
