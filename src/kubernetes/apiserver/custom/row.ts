/** A custom resource as a row like any other, made from its definition. Source: `apiextensions-apiserver/pkg/apiserver/customresource_handler.go`. */
import { apiVersionOf, type KubernetesObject } from '../../object.ts';
import type { Schemas } from '../../schema/schema.ts';
import type { CustomResourceDefinition } from '../../types.ts';
import type { Draft } from '../draft.ts';
import { age, nameColumn, since } from '../registry/columns.ts';
import { statusPart } from '../registry/row.ts';
import {
  allVerbs,
  type Conversion,
  type Column,
  type Resource,
  type ServedVersion,
  type Strategy,
  type Subresource,
} from '../resource.ts';
import { parseJsonPath } from './json-path.ts';
import { conversionOf, type ConversionParts } from './conversion.ts';
import { type CustomSchema, customSchemaOf, publishedSchema } from './schema.ts';

type Definition = CustomResourceDefinition;
type Version = Definition['spec']['versions'][number];

/** The row of an established definition. */
export function customRow(
  { spec, status }: Definition,
  builtIn: Pick<Schemas, 'named'>,
  parts: ConversionParts,
): Resource {
  const conversion = spec.versions.length > 1 ? conversionOf(spec, parts) : undefined;
  const names = status?.acceptedNames ?? spec.names;
  const storage = spec.versions.find(({ storage }) => storage) ?? spec.versions[0]!;
  const schemas = new Map(spec.versions.map((version) => [version.name, customSchemaOf(spec, version, builtIn)]));
  const stored = schemas.get(storage.name)!;
  const served = spec.versions.filter(({ served }) => served);
  return {
    type: {
      group: spec.group,
      version: storage.name,
      kind: names.kind,
      resource: names.plural,
      isNamespaced: spec.scope === 'Namespaced',
    },
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: allVerbs,
    versions: served.map((version) =>
      servedVersion(spec, version, { storage, conversion, schema: schemas.get(version.name)! }),
    ),
    subresources: new Map(subresourcesOf(storage)),
    strategy: strategyOf(storage, schemas),
    ...(stored.fields && { schema: stored.fields }),
    columns: columnsOf(storage),
    selectableFields: Object.fromEntries(
      (storage.selectableFields ?? []).map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), textAt(jsonPath)]),
    ),
  };
}

interface VersionParts {
  readonly conversion: Conversion | undefined;
  readonly storage: Version;
  readonly schema: CustomSchema;
}

function servedVersion(
  { group, names, versions }: Definition['spec'],
  version: Version,
  { storage, conversion, schema }: VersionParts,
): ServedVersion {
  const groupVersion = { group, version: version.name };
  const to = (apiVersion: string) => (object: KubernetesObject) => ({ ...object, apiVersion });
  const isStored = version.name === storage.name;
  const openApiSchema = publishedSchema(version);
  const own = apiVersionOf(groupVersion);
  const read = (object: KubernetesObject) => schema.withDefaults(object.apiVersion === own ? object : to(own)(object));
  return {
    ...groupVersion,
    kind: names.kind,
    ...(schema.fields && { schema: schema.fields }),
    ...(openApiSchema && { openApiSchema }),
    // Defaults that came into the definition later are seen in what was stored before.
    // What was stored while another version was the one that is stored is still of that.
    ...((versions.length > 1 || schema.hasDefaults) && { fromStored: read }),
    ...(conversion && { conversion }),
    ...(!isStored && { toStored: to(apiVersionOf({ group, version: storage.name })) }),
    columns: columnsOf(version),
    ...(version.deprecated && {
      isDeprecated: true,
      deprecationWarning: version.deprecationWarning ?? `${apiVersionOf(groupVersion)} ${names.kind} is deprecated`,
    }),
  };
}

function strategyOf(storage: Version, schemas: ReadonlyMap<string, CustomSchema>): Strategy {
  const schema = schemas.get(storage.name)!;
  return {
    hasGeneration: true,
    hasStatus: storage.subresources?.status !== undefined,
    isCreatedOnUpdate: false,
    isUnconditionalUpdateAllowed: false,
    returnsDeleted: false,
    default: (object) => schema.default(object),
    validate: (object, old) => schema.validate(object, old),
  };
}

function* subresourcesOf({ subresources }: Version): Generator<[string, Subresource]> {
  if (subresources?.status) yield ['status', statusPart];
  if (!subresources?.scale) return;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = subresources.scale;
  yield [
    'scale',
    {
      kind: 'scale',
      read: (object) => ({
        specReplicas: numberAt(specReplicasPath)(object),
        statusReplicas: numberAt(statusReplicasPath)(object),
        selector: labelSelectorPath ? textAt(labelSelectorPath)(object) : '',
      }),
      write: (object, replicas) => setAt(object, specReplicasPath, replicas),
    },
  ];
}

/** Writes what a plain path names, making what leads there. */
function setAt(object: Draft<KubernetesObject>, path: string, value: number): void {
  const names = path.split('.').filter(Boolean);
  let at = object as { [name: string]: unknown };
  for (const name of names.slice(0, -1)) {
    const next = Object.hasOwn(at, name) ? at[name] : undefined;
    if (typeof next !== 'object' || next === null) at[name] = {};
    at = at[name] as { [name: string]: unknown };
  }
  at[names.at(-1)!] = value;
}

function textAt(path: string): (object: KubernetesObject) => string {
  const read = parseJsonPath(path);
  return (object) => {
    const [value] = read(object);
    return value === undefined || value === null ? '' : textOf(value);
  };
}

/** A value as it is printed. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function numberAt(path: string): (object: KubernetesObject) => number {
  const read = parseJsonPath(path);
  return (object) => Number(read(object)[0] ?? 0) || 0;
}

const printed = ['string', 'integer', 'number', 'boolean', 'date'] as const;

function columnsOf({ additionalPrinterColumns }: Version): readonly Column[] {
  if (!additionalPrinterColumns) return [nameColumn, age];
  const own = additionalPrinterColumns.map(
    ({ name, type, format = '', description = '', priority = 0, jsonPath }): Column => {
      const read = parseJsonPath(jsonPath);
      return {
        name,
        type: printed.find((known) => known === type) ?? 'string',
        format,
        description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
        priority,
        value: (object, now) => cellOf(read(object), type, now),
      };
    },
  );
  return [nameColumn, ...own];
}

function cellOf(values: readonly unknown[], type: string, now: number): string | number | boolean | null {
  const [value] = values;
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? since(value, now) : null;
    default:
      return values.length > 1 || typeof value === 'object'
        ? JSON.stringify(values.length > 1 ? values : value)
        : textOf(value);
  }
}
