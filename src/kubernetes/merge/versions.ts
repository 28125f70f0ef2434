/**
 * Managers own fields of the version they spoke. What changes is looked at in each of these, and an object is taken apart in the version of whoever owned what goes. Behaviour:
 * structured-merge-diff `merge/update.go`, whose "Converter" this is.
 */
import type { KubernetesObject } from '../object.ts';
import type { Schema } from '../schema/schema.ts';
import { type Comparison, compare } from './compare.ts';

/** One version of a kind. Both functions take an object without `metadata.managedFields` and leave it alone. */
export interface OtherVersion {
  readonly schema: Schema;
  /** From the version of the request. */
  readonly of: (object: KubernetesObject) => KubernetesObject;
  /** Back to it. */
  readonly from: (object: KubernetesObject) => KubernetesObject;
}

/** Another version than that of the request; undefined for the same one, or one that nothing is known of: its fields are taken for those of the request's. */
export type Versions = (apiVersion: string) => OtherVersion | undefined;

interface Sides {
  readonly before: unknown;
  readonly after: unknown;
  readonly schema: Schema;
}

/** What changes between two objects, as the managers of each version see it. */
export class Changes {
  /** In the version of the request. */
  readonly own: Comparison;
  readonly #sides: Sides;
  readonly #versions: Versions | undefined;
  readonly #byVersion = new Map<string, Comparison>();

  constructor(sides: Sides, versions: Versions | undefined) {
    this.#sides = sides;
    this.#versions = versions;
    this.own = compare(sides.before, sides.after, sides.schema);
  }

  in(apiVersion: string): Comparison {
    const other = this.#versions?.(apiVersion);
    if (!other) return this.own;
    let comparison = this.#byVersion.get(apiVersion);
    if (!comparison) {
      const { before, after } = this.#sides;
      comparison = compare(inVersion(other, before), inVersion(other, after), other.schema);
      this.#byVersion.set(apiVersion, comparison);
    }
    return comparison;
  }
}

/** What is no object yet, or is none any more, is the same in all versions. */
export function inVersion({ of }: OtherVersion, value: unknown): unknown {
  return isEmpty(value) ? value : of(value as KubernetesObject);
}

export function fromVersion({ from }: OtherVersion, value: unknown): unknown {
  return isEmpty(value) ? value : from(value as KubernetesObject);
}

function isEmpty(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0;
}
