/** `Table`: what `kubectl get` prints. Source: apiserver `endpoints/handlers/response.go`, `meta/v1` "Table". */
import type { KubernetesObject } from '../../object.ts';
import { StatusError } from '../../status.ts';
import type { Column } from '../resource.ts';
import type { Served } from '../catalog.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** Throws `BadRequest`. */
export function includeObjectOf(value: string | undefined): IncludeObject {
  if (value === undefined) return 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw new StatusError('BadRequest', `unrecognized includeObject value: ${JSON.stringify(value)}`);
}

export interface TableOptions {
  readonly includeObject: IncludeObject;
  readonly now: number;
  readonly metaVersion: string;
  readonly metadata: {
    readonly resourceVersion?: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  /** Watches give the columns once, with their first event. */
  readonly hasColumns?: boolean;
}

export function columnsOf({ resource, version }: Served): readonly Column[] {
  return version.columns ?? resource.columns;
}

export function tableOf<T extends KubernetesObject>(
  columns: readonly Column<T>[],
  objects: readonly T[],
  options: TableOptions,
): object {
  const { hasColumns = true, metadata, metaVersion } = options;
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata,
    columnDefinitions: hasColumns ? columns.map((column) => definition(column)) : null,
    rows: objects.map((object) => rowOf(columns, object, options)),
  };
}

function definition({ name, type, format = '', description, priority }: Omit<Column, 'value'>) {
  return { name, type, format, description, priority };
}

function rowOf<T extends KubernetesObject>(
  columns: readonly Column<T>[],
  object: T,
  { includeObject, now, metaVersion }: TableOptions,
) {
  return {
    cells: columns.map(({ value }) => value(object, now)),
    ...(includeObject === 'Metadata' && { object: partialMetadata(object, metaVersion) }),
    ...(includeObject === 'Object' && { object }),
  };
}

export function partialMetadata({ metadata }: { readonly metadata?: object }, metaVersion: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}`, metadata };
}
