/** JSON Patch, RFC 6902, with the words of the library that Kubernetes uses (`evanphx/json-patch` v4). */
import type { JsonObject } from '../schema/json.ts';
import { getOwn, isEqual, isObject, setOwn } from '../schema/json.ts';
import { StatusError } from '../status.ts';
import { rejected } from './rejected.ts';

const mostOperations = 10_000;

/** What copies may add up to; a patch of a few of them can otherwise double a document many times. */
const mostCopied = 3 * 1024 * 1024;

/**
 * Applies the operations in order, all or none; `document` is left alone. Throws `BadRequest` for what is no patch, `RequestEntityTooLarge` for more than 10,000 operations,
 * `Invalid` (422) for one that does not apply.
 */
export function jsonPatch(document: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations))
    throw new StatusError(
      'BadRequest',
      'error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch',
    );
  if (operations.length > mostOperations)
    throw new StatusError(
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${mostOperations}, got ${operations.length}`,
    );
  const patcher = new Patcher(document);
  for (const operation of operations.map(readOperation)) patcher.apply(operation);
  return patcher.document;
}

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string | undefined;
  readonly value: unknown;
  readonly hasValue: boolean;
}

function readOperation(operation: unknown): Operation {
  if (!isObject(operation)) throw new StatusError('BadRequest', 'error decoding patch: an operation is no object');
  const { op, path, from } = operation;
  if (typeof path !== 'string') throw rejected(`operation missing path field: missing value`);
  return {
    op: typeof op === 'string' ? op : 'unknown',
    path,
    from: typeof from === 'string' ? from : undefined,
    value: operation['value'],
    hasValue: Object.hasOwn(operation, 'value'),
  };
}

type Container = unknown[] | JsonObject;

class Patcher {
  document: unknown;
  #copied = 0;

  constructor(document: unknown) {
    this.document = structuredClone(document);
  }

  apply(operation: Operation): void {
    switch (operation.op) {
      case 'add':
        return this.#add(operation.path, valueOf(operation));
      case 'remove':
        return this.#remove(operation.path);
      case 'replace':
        return this.#replace(operation.path, valueOf(operation));
      case 'move':
        return this.#move(operation);
      case 'copy':
        return this.#copy(operation);
      case 'test':
        return this.#test(operation.path, operation.value ?? null);
      default:
        throw rejected(`Unexpected kind: ${operation.op}`);
    }
  }

  #add(path: string, value: unknown): void {
    if (path === '') {
      this.document = value;
      return;
    }
    const { container, key } =
      this.#find(path) ?? missing(`add operation does not apply: doc is missing path: "${path}"`);
    if (!Array.isArray(container)) return setOwn(container, key, value);
    const index = key === '-' ? container.length : indexOf(container, key, path);
    if (index > container.length)
      throw rejected(
        `error in add for path: '${path}': Unable to access invalid index: ${key}: invalid index referenced`,
      );
    container.splice(index, 0, value);
  }

  #remove(path: string): void {
    const { container, key } =
      this.#find(path) ?? missing(`remove operation does not apply: doc is missing path: "${path}"`);
    if (Array.isArray(container)) {
      const index = indexOf(container, key, path);
      if (index >= container.length)
        throw rejected(
          `error in remove for path: '${path}': Unable to access invalid index: ${key}: invalid index referenced`,
        );
      container.splice(index, 1);
    } else {
      if (!Object.hasOwn(container, key))
        missing(`error in remove for path: '${path}': Unable to remove nonexistent key: ${key}`);
      delete (container as Record<string, unknown>)[key];
    }
  }

  #replace(path: string, value: unknown): void {
    if (path === '') {
      this.document = value;
      return;
    }
    const { container, key } =
      this.#find(path) ?? missing(`replace operation does not apply: doc is missing path: ${path}`);
    if (Array.isArray(container)) {
      const index = indexOf(container, key, path);
      if (index >= container.length) missing(`replace operation does not apply: doc is missing key: ${path}`);
      container[index] = value;
    } else {
      if (!Object.hasOwn(container, key)) missing(`replace operation does not apply: doc is missing key: ${path}`);
      setOwn(container, key, value);
    }
  }

  #move({ from = '', path }: Operation): void {
    const value = this.#get(from);
    if (value === undefined) missing(`move operation does not apply: doc is missing from path: ${from}`);
    if (path.startsWith(`${from}/`)) throw rejected(`move operation does not apply: ${from} cannot move into itself`);
    this.#remove(from);
    this.#add(path, value);
  }

  #copy({ from = '', path }: Operation): void {
    const value = this.#get(from);
    if (value === undefined) missing(`copy operation does not apply: doc is missing from path: ${from}`);
    this.#copied += JSON.stringify(value).length;
    if (this.#copied > mostCopied)
      throw rejected(
        `Unable to copy, the accumulated size increase of copy is ${this.#copied}, exceeding the limit ${mostCopied}`,
      );
    this.#add(path, structuredClone(value));
  }

  #test(path: string, expected: unknown): void {
    if (!isEqual(this.#get(path) ?? null, expected)) throw rejected(`testing value ${path} failed: test failed`);
  }

  #get(path: string): unknown {
    if (path === '') return this.document;
    const found = this.#find(path);
    return found && child(found.container, found.key);
  }

  /** The container that the last part of a path is in; undefined if there is none. */
  #find(path: string): { readonly container: Container; readonly key: string } | undefined {
    if (!path.startsWith('/')) return undefined;
    const parts = path.slice(1).split('/').map(unescape);
    let container: unknown = this.document;
    for (const part of parts.slice(0, -1)) container = isContainer(container) ? child(container, part) : undefined;
    return isContainer(container) ? { container, key: parts.at(-1)! } : undefined;
  }
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function child(container: Container, key: string): unknown {
  if (!Array.isArray(container)) return getOwn(container, key);
  return /^\d+$/.test(key) ? container[Number(key)] : undefined;
}

/** Negative indexes count from the end, as the library has it. */
function indexOf(list: readonly unknown[], key: string, path: string): number {
  if (!/^-?\d{1,9}$/.test(key))
    throw rejected(`error for path: '${path}': strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  const index = Number(key);
  if (index < -list.length)
    throw rejected(`error for path: '${path}': Unable to access invalid index: ${key}: invalid index referenced`);
  return index < 0 ? list.length + index : index;
}

function unescape(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

function valueOf({ value, hasValue, op }: Operation): unknown {
  if (!hasValue) missing(`operation ${op} has no value`);
  return structuredClone(value);
}

function missing(message: string): never {
  throw rejected(`${message}: missing value`);
}
