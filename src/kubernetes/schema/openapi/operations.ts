/** The operations on a resource and its subresources, as paths of an OpenAPI document describe them. */
import type { GroupVersionKind } from '../../object.ts';
import { apiVersionOf } from '../../object.ts';
import type { JsonObject } from '../json.ts';
import type { OpenApiResource } from './resource.ts';

/** One operation, before either version of OpenAPI writes it down. */
export interface Operation {
  readonly path: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** `x-kubernetes-action`. */
  readonly action: string;
  readonly id: string;
  readonly description: string;
  readonly kind: GroupVersionKind;
  /** What is sent: an object of the kind, options for a deletion, nothing. */
  readonly body: 'object' | 'options' | 'patch' | 'none';
  readonly answer: 'object' | 'list' | 'status' | 'text';
  readonly parameters: readonly Parameter[];
  /** Strategic merge patches are of the built-in kinds only. */
  readonly patchTypes: readonly string[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly type: 'string' | 'boolean' | 'integer';
  readonly description: string;
}

const query = (name: string, description: string, type: Parameter['type'] = 'string'): Parameter => ({
  name,
  in: 'query',
  type,
  description,
});
const inPath = (name: string, description: string): Parameter => ({ name, in: 'path', type: 'string', description });

const pretty = query('pretty', 'If true, the output is printed for people.');
const writeParameters = [
  query('dryRun', 'All: everything is done but storing.'),
  query('fieldManager', 'Who owns the fields that change.'),
  query('fieldValidation', 'What to do about unknown and duplicate fields: Ignore, Warn or Strict.'),
];
const force = query('force', 'Of an apply: take over fields that others own.', 'boolean');
const listParameters = [
  query('allowWatchBookmarks', 'Watches may tell how far they are.', 'boolean'),
  query('continue', 'Where an earlier list ended.'),
  query('fieldSelector', 'Which objects, by their fields.'),
  query('labelSelector', 'Which objects, by their labels.'),
  query('limit', 'At most so many objects.', 'integer'),
  query('resourceVersion', 'Of which version, or from which on.'),
  query('resourceVersionMatch', 'How resourceVersion is meant.'),
  query('sendInitialEvents', 'Of a watch: begin with what there is.', 'boolean'),
  query('timeoutSeconds', 'For how long.', 'integer'),
  query('watch', 'Tell changes instead of listing.', 'boolean'),
];
const deleteParameters = [
  query('dryRun', 'All: everything is done but deleting.'),
  query('gracePeriodSeconds', 'How long the object may take to end.', 'integer'),
  query('propagationPolicy', 'What becomes of dependents: Orphan, Background or Foreground.'),
];

/** Every operation that a resource's verbs allow. */
export function operationsOf(resource: OpenApiResource): readonly Operation[] {
  const root = `${resource.group === '' ? '/api' : '/apis'}/${apiVersionOf(resource)}`;
  const collection = `${root}${resource.isNamespaced ? '/namespaces/{namespace}' : ''}/${resource.resource}`;
  const everywhere = resource.isNamespaced && resource.verbs.includes('list') ? [`${root}/${resource.resource}`] : [];
  return [
    ...ofVerbs(resource, { path: collection, verbs: resource.verbs, isItem: false }),
    ...ofVerbs(resource, { path: `${collection}/{name}`, verbs: resource.verbs, isItem: true }),
    ...everywhere.flatMap((path) => ofVerbs(resource, { path, verbs: ['list'], isItem: false, isEverywhere: true })),
    ...resource.subresources.flatMap(({ name, verbs, kind }) =>
      ofVerbs(resource, { path: `${collection}/{name}/${name}`, verbs, isItem: true, subresource: { name, kind } }),
    ),
  ];
}

interface Place {
  readonly path: string;
  readonly verbs: readonly string[];
  readonly isItem: boolean;
  readonly isEverywhere?: boolean;
  readonly subresource?: { readonly name: string; readonly kind: GroupVersionKind | undefined };
}

type Shape = Pick<Operation, 'method' | 'action' | 'body' | 'answer'> & { readonly parameters: readonly Parameter[] };

const shapes: { readonly [verb: string]: Shape & { readonly isItem: boolean } } = {
  list: { isItem: false, method: 'get', action: 'list', body: 'none', answer: 'list', parameters: listParameters },
  create: {
    isItem: false,
    method: 'post',
    action: 'post',
    body: 'object',
    answer: 'object',
    parameters: writeParameters,
  },
  deletecollection: {
    isItem: false,
    method: 'delete',
    action: 'deletecollection',
    body: 'options',
    answer: 'status',
    parameters: [...listParameters.slice(1, -1), ...deleteParameters],
  },
  get: { isItem: true, method: 'get', action: 'get', body: 'none', answer: 'object', parameters: [] },
  update: { isItem: true, method: 'put', action: 'put', body: 'object', answer: 'object', parameters: writeParameters },
  patch: {
    isItem: true,
    method: 'patch',
    action: 'patch',
    body: 'patch',
    answer: 'object',
    parameters: [...writeParameters, force],
  },
  delete: {
    isItem: true,
    method: 'delete',
    action: 'delete',
    body: 'options',
    answer: 'status',
    parameters: deleteParameters,
  },
};

function ofVerbs(resource: OpenApiResource, place: Place): readonly Operation[] {
  return place.verbs.flatMap((verb) => {
    const shape = shapes[verb];
    if (!shape || (!place.subresource && shape.isItem !== place.isItem)) return [];
    return [operation(resource, place, { verb, shape })];
  });
}

function operation(
  resource: OpenApiResource,
  { path, isEverywhere, subresource }: Place,
  { verb, shape }: { readonly verb: string; readonly shape: Shape },
): Operation {
  const { method, action, body, answer, parameters } = shape;
  const isConnection = subresource !== undefined && subresource.kind === undefined;
  const places = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) =>
    inPath(name!, name === 'name' ? `The name of the ${resource.kind}.` : 'The namespace.'),
  );
  return {
    path,
    method,
    action: isConnection ? 'connect' : action,
    id: operationId(resource, { verb, isEverywhere: isEverywhere ?? false, subresource: subresource?.name ?? '' }),
    description: `${verb} ${subresource ? `${subresource.name} of the specified` : 'the specified'} ${resource.kind}`,
    kind: subresource?.kind ?? resource,
    body: isConnection ? 'none' : body,
    answer: isConnection ? 'text' : answer,
    parameters: [...places, pretty, ...parameters],
    patchTypes: patchTypesOf(resource),
  };
}

function patchTypesOf({ customSchema }: OpenApiResource): readonly string[] {
  const everyKind = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'];
  return customSchema ? everyKind : [...everyKind, 'application/strategic-merge-patch+json'];
}

const verbWords: { readonly [verb: string]: string } = {
  get: 'read',
  update: 'replace',
  deletecollection: 'deleteCollection',
};

/** `replaceAppsV1NamespacedDeploymentStatus`, as generated clients name their functions. */
function operationId(
  { group, version, kind, isNamespaced }: OpenApiResource,
  {
    verb,
    isEverywhere,
    subresource,
  }: { readonly verb: string; readonly isEverywhere: boolean; readonly subresource: string },
): string {
  const pascal = (text: string) => text.replace(/(?:^|[-_.])(\w)/g, (_, letter: string) => letter.toUpperCase());
  const groupName = group === '' ? 'Core' : pascal(group.replace(/\.k8s\.io$/, ''));
  const scope = isNamespaced && !isEverywhere ? 'Namespaced' : '';
  const end = isEverywhere ? 'ForAllNamespaces' : pascal(subresource);
  return `${verbWords[verb] ?? verb}${groupName}${pascal(version)}${scope}${kind}${end}`;
}

/** The extensions by which clients find an operation. */
export function extensionsOf({ action, kind: { group, version, kind } }: Operation): JsonObject {
  return {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, kind, version },
  };
}
