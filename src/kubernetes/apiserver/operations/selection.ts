import { StatusError } from '../../status.ts';
import type { Resource } from '../resource.ts';
import { type FieldRequirement, matches, parseFieldSelector, parseLabelSelector } from '../../selector.ts';
import type { StoredObject } from '../storage/stored-object.ts';

/** Which objects of a resource somebody wants to see. */
export interface Selection {
  /** How the paths of all of them begin: `namespace/`, or nothing. */
  readonly begin: string;
  /** What they must satisfy beside; undefined when there is nothing. */
  readonly test: ((object: StoredObject) => boolean) | undefined;
}

/** Throws `BadRequest` for selectors that cannot be read or fields that cannot be selected by. */
export function selectionOf(
  resource: Resource,
  asked: {
    readonly namespace?: string | undefined;
    readonly labelSelector?: string | undefined;
    readonly fieldSelector?: string | undefined;
  },
): Selection {
  const labels = asked.labelSelector?.trim() ? parseLabelSelector(asked.labelSelector) : undefined;
  const fields = parseFieldSelector(asked.fieldSelector ?? '').map((requirement) => fieldTest(resource, requirement));
  const begin = asked.namespace && resource.type.isNamespaced ? `${asked.namespace}/` : '';
  if (!labels && !fields.length) return { begin, test: undefined };
  return {
    begin,
    test: (object) => fields.every((test) => test(object)) && (!labels || matches(labels, object.labels)),
  };
}

function fieldTest(
  resource: Resource,
  { field, isNegated, value }: FieldRequirement,
): (object: StoredObject) => boolean {
  if (field === 'metadata.name') return ({ path }) => (path.slice(path.indexOf('/') + 1) === value) !== isNegated;
  if (field === 'metadata.namespace' && resource.type.isNamespaced)
    return ({ path }) => (path.slice(0, path.indexOf('/')) === value) !== isNegated;
  const read = Object.hasOwn(resource.selectableFields, field) ? resource.selectableFields[field] : undefined;
  if (!read) throw new StatusError('BadRequest', `field label not supported: ${field}`);
  return ({ object }) => (read(object) === value) !== isNegated;
}
