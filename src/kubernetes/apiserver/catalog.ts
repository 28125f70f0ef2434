import type { ServedResources } from '../client/served-resources.ts';
import { apiVersionOf, type GroupVersion, parseApiVersion, type ResourceType } from '../object.ts';
import type { Resource, ServedVersion } from './resource.ts';

/** A resource in one of its versions. */
export interface Served {
  readonly resource: Resource;
  readonly version: ServedVersion;
}

/** What a cluster serves now: the built-in rows, shared by all clusters, and its own custom resources. */
export class Catalog {
  /** By `group/version` and plural. */
  readonly #served = new Map<string, Map<string, Served>>();
  readonly #listeners = new Set<() => void>();
  /** Counts changes, so that what is derived from the catalog knows when to be made anew. */
  #generation = 0;

  constructor(rows: Iterable<Resource>) {
    for (const row of rows) this.#add(row);
  }

  get generation(): number {
    return this.#generation;
  }

  find({ group, version }: GroupVersion, plural: string): Served | undefined {
    return this.#served.get(apiVersionOf({ group, version }))?.get(plural);
  }

  /** The resource of a client's type; undefined when it is not served. */
  of(type: ResourceType): Served | undefined {
    return this.find(type, type.resource);
  }

  /** By kind rather than plural. */
  ofKind(groupVersion: GroupVersion, kind: string): Served | undefined {
    const served = this.#served.get(apiVersionOf(groupVersion));
    return served && [...served.values()].find(({ version }) => version.kind === kind);
  }

  groupVersions(): readonly string[] {
    return [...this.#served.keys()];
  }

  /** By plural. */
  resources(groupVersion: GroupVersion): readonly Served[] {
    return [...(this.#served.get(apiVersionOf(groupVersion))?.values() ?? [])];
  }

  /** Every resource once. */
  all(): readonly Resource[] {
    return [...new Set([...this.#served.values()].flatMap((served) => [...served.values()].map((it) => it.resource)))];
  }

  /** Adds a row, or replaces the one of the same group and plural. */
  put(row: Resource): void {
    this.#drop(row.type);
    this.#add(row);
    this.#changed();
  }

  remove(type: Pick<ResourceType, 'group' | 'resource'>): void {
    this.#drop(type);
    this.#changed();
  }

  /** Calls `listener` after every change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#generation += 1;
    for (const listener of this.#listeners) listener();
  }

  #add(resource: Resource): void {
    for (const version of resource.versions) {
      const apiVersion = apiVersionOf(version);
      const served = this.#served.get(apiVersion) ?? new Map<string, Served>();
      served.set(resource.type.resource, { resource, version });
      this.#served.set(apiVersion, served);
    }
  }

  #drop({ group, resource }: Pick<ResourceType, 'group' | 'resource'>): void {
    for (const [apiVersion, served] of this.#served) {
      const row = served.get(resource);
      if (row?.resource.type.group !== group) continue;
      served.delete(resource);
      if (!served.size) this.#served.delete(apiVersion);
    }
  }
}

/** The catalog as controllers see it. */
export function servedResources(catalog: Catalog): ServedResources {
  const isWhole = ({ verbs }: Resource) =>
    verbs.includes('list') && verbs.includes('watch') && verbs.includes('delete');
  return {
    all: () =>
      catalog
        .all()
        .filter(isWhole)
        .map(({ type }) => type),
    ofKind: (apiVersion, kind) => catalog.ofKind(parseApiVersion(apiVersion), kind)?.resource.type,
    onChange: (listener) => catalog.onChange(listener),
  };
}
