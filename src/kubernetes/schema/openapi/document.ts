/** The OpenAPI documents that an API server publishes. Source: the OpenAPI specification 3.0 and 2.0, kube-openapi's `handler3` and `handler`. */
import { createHash } from 'node:crypto';
import type { GroupVersionKind } from '../../object.ts';
import type { JsonObject } from '../json.ts';
import { customDefinitions } from './custom.ts';
import type { DefinitionSources, Dialect } from './definitions.ts';
import { Definitions, v2, v3 } from './definitions.ts';
import type { Operation, Parameter } from './operations.ts';
import { extensionsOf, operationsOf } from './operations.ts';
import type { OpenApiResource } from './resource.ts';

export interface DocumentOptions extends DefinitionSources {
  /** `v1.34.2`. */
  readonly serverVersion: string;
}

const info = (version: string) => ({ title: 'Kubernetes', version });
const objectTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const answerTypes = ['application/json', 'application/yaml'];

/** The document of one group version: what `/openapi/v3/apis/apps/v1` answers. */
export function openApiV3(resources: readonly OpenApiResource[], options: DocumentOptions): JsonObject {
  const definitions = new Definitions(options, v3);
  const paths = pathsOf(resources, definitions, v3);
  return {
    openapi: '3.0.0',
    info: info(options.serverVersion),
    paths,
    components: { schemas: definitions.all() },
  };
}

/** The one document of everything: what `/openapi/v2` answers. */
export function openApiV2(resources: readonly OpenApiResource[], options: DocumentOptions): JsonObject {
  const definitions = new Definitions(options, v2);
  const paths = pathsOf(resources, definitions, v2);
  return {
    swagger: '2.0',
    info: info(options.serverVersion),
    paths,
    definitions: definitions.all(),
  };
}

/** What `/openapi/v3` answers: where the document of each group version is. The hash changes when the document does, and lets clients keep it. */
export function openApiV3Index(documents: ReadonlyMap<string, string>): JsonObject {
  const entries = [...documents].map(([path, hash]) => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
  ]);
  return { paths: Object.fromEntries(entries) as JsonObject };
}

/** The hash of a document, from what it is made of. */
export function openApiHash(
  resources: readonly OpenApiResource[],
  { serverVersion }: { readonly serverVersion: string },
): string {
  return createHash('sha512')
    .update(JSON.stringify([serverVersion, resources]))
    .digest('hex')
    .toUpperCase()
    .slice(0, 64);
}

/** `api/v1`, `apis/apps/v1`: how the index names a group version. */
export function openApiPath({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

function pathsOf(resources: readonly OpenApiResource[], definitions: Definitions, dialect: Dialect): JsonObject {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const resource of resources) {
    const references = referencesOf(resource, definitions, dialect);
    for (const operation of operationsOf(resource))
      (paths[operation.path] ??= {})[operation.method] = dialect.hasOneOf
        ? writeV3(operation, references)
        : writeV2(operation, references);
  }
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Definitions by what an operation sends and answers. */
interface References {
  object(kind: GroupVersionKind): JsonObject;
  readonly list: JsonObject;
  readonly options: JsonObject;
  readonly status: JsonObject;
  readonly patch: JsonObject;
}

const metaName = 'io.k8s.apimachinery.pkg.apis.meta.v1';

function referencesOf(resource: OpenApiResource, definitions: Definitions, dialect: Dialect): References {
  const { group, version, kind } = resource;
  const anything = { type: 'object' };
  const custom = resource.customSchema && customDefinitions(definitions, resource, dialect);
  const patch = definitions.custom(`${metaName}.Patch`, {
    description: 'Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.',
    type: 'object',
  });
  return {
    object: (one) => (one.kind === kind && custom?.object) || definitions.ofKind(one) || anything,
    list: custom?.list ?? definitions.ofKind({ group, version, kind: `${kind}List` }) ?? anything,
    options: definitions.ofKind({ group, version, kind: 'DeleteOptions' }) ?? anything,
    status: definitions.ofKind({ group: '', version: 'v1', kind: 'Status' }) ?? anything,
    patch,
  };
}

function bodyOf({ body, kind }: Operation, references: References): JsonObject | undefined {
  if (body === 'object') return references.object(kind);
  if (body === 'options') return references.options;
  return body === 'patch' ? references.patch : undefined;
}

function answerOf({ answer, kind }: Operation, references: References): JsonObject {
  if (answer === 'list') return references.list;
  if (answer === 'status') return references.status;
  return answer === 'text' ? { type: 'string' } : references.object(kind);
}

function successCodes({ method }: Operation): readonly (readonly [string, string])[] {
  const [ok, created, accepted] = [
    ['200', 'OK'],
    ['201', 'Created'],
    ['202', 'Accepted'],
  ] as const;
  if (method === 'post') return [ok, created, accepted];
  if (method === 'put' || method === 'patch') return [ok, created];
  return method === 'delete' ? [ok, accepted] : [ok];
}

function common(operation: Operation): JsonObject {
  const { id, description, path } = operation;
  const [, root, group, version] = path.split('/');
  const tag = root === 'api' ? `core_${group}` : `${group!.replace(/\.k8s\.io$/, '')}_${version}`;
  return { description, operationId: id, tags: [tag] };
}

function writeV3(operation: Operation, references: References): JsonObject {
  const body = bodyOf(operation, references);
  const content = (types: readonly string[], schema: JsonObject) =>
    Object.fromEntries(types.map((type) => [type, { schema }]));
  const bodyTypes = operation.body === 'patch' ? operation.patchTypes : objectTypes;
  const answer = content(operation.answer === 'text' ? ['*/*'] : answerTypes, answerOf(operation, references));
  return {
    ...common(operation),
    parameters: operation.parameters.map(({ type, ...parameter }) => ({
      ...parameter,
      ...required(parameter),
      schema: { type, uniqueItems: true },
    })),
    ...(body && {
      requestBody: {
        content: content(bodyTypes, body),
        ...(operation.body !== 'options' && { required: true }),
      },
    }),
    responses: Object.fromEntries([
      ...successCodes(operation).map(([code, description]) => [code, { description, content: answer }]),
      ['401', { description: 'Unauthorized' }],
    ]) as JsonObject,
    ...extensionsOf(operation),
  };
}

function writeV2(operation: Operation, references: References): JsonObject {
  const schema = bodyOf(operation, references);
  const answer = answerOf(operation, references);
  return {
    ...common(operation),
    consumes: operation.body === 'patch' ? operation.patchTypes : objectTypes,
    produces: operation.answer === 'text' ? ['*/*'] : answerTypes,
    schemes: ['https'],
    parameters: [
      ...operation.parameters.map((parameter) => ({ ...parameter, ...required(parameter), uniqueItems: true })),
      ...(schema
        ? [{ name: 'body', in: 'body', schema, ...(operation.body !== 'options' && { required: true }) }]
        : []),
    ],
    responses: Object.fromEntries([
      ...successCodes(operation).map(([code, description]) => [code, { description, schema: answer }]),
      ['401', { description: 'Unauthorized' }],
    ]) as JsonObject,
    ...extensionsOf(operation),
  };
}

function required(parameter: Pick<Parameter, 'in'>): JsonObject {
  return parameter.in === 'path' ? { required: true } : {};
}
