/** The `scale` subresource: one form (`autoscaling/v1` Scale) for all that has replicas. */
import type { KubernetesObject } from '../../object.ts';
import { StatusError } from '../../status.ts';
import { type Draft, draftOf } from '../draft.ts';
import type { Call } from '../parts.ts';
import { age, nameColumn } from '../registry/columns.ts';
import type { Column, Subresource } from '../resource.ts';

type ScaleSubresource = Extract<Subresource, { kind: 'scale' }>;

export interface Scale extends KubernetesObject {
  readonly spec?: { readonly replicas?: number };
  readonly status: { readonly replicas: number; readonly selector?: string };
}

/** Upstream's `scaleColumnDefinitions`, `pkg/printers/internalversion/printers.go`. */
export const scaleColumns: readonly Column<Scale>[] = [
  nameColumn,
  {
    name: 'Desired',
    type: 'integer',
    description: 'replicas is the desired number of instances for the scaled object.',
    priority: 0,
    value: ({ spec }) => spec?.replicas ?? 0,
  },
  {
    name: 'Available',
    type: 'integer',
    description: 'replicas is the actual number of observed instances of the scaled object.',
    priority: 0,
    value: ({ status }) => status.replicas,
  },
  age,
];

export function scaleOf(_call: Call, { read }: ScaleSubresource, object: KubernetesObject): Scale {
  const { specReplicas, statusReplicas, selector } = read(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: pick(object.metadata ?? {}, ['name', 'namespace', 'uid', 'resourceVersion', 'creationTimestamp']),
    spec: specReplicas ? { replicas: specReplicas } : {},
    status: { replicas: statusReplicas, ...(selector && { selector }) },
  };
}

function pick<T extends object, Key extends keyof T>(from: T, keys: readonly Key[]): Pick<T, Key> {
  // Absent members stay absent.
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Pick<
    T,
    Key
  >;
}

/** The object with the replicas that a scale asks for. Throws `BadRequest` and `Invalid`. */
export function withScale(
  call: Call,
  { write }: ScaleSubresource,
  old: KubernetesObject,
  body: KubernetesObject,
): Draft<KubernetesObject> {
  if (body.kind !== 'Scale')
    throw new StatusError('BadRequest', `expected input object type to be Scale, but ${body.kind ?? 'nothing'}`);
  // The body was decoded as a Scale; what it says of replicas is checked here, since every number is a scale.
  const replicas = (body as Scale).spec?.replicas ?? 0;
  if (!Number.isInteger(replicas) || replicas < 0)
    throw new StatusError(
      'Invalid',
      `Scale.autoscaling "${call.name ?? ''}" is invalid: spec.replicas: Invalid value: ${replicas}: must be greater than or equal to 0`,
      {
        details: {
          name: call.name ?? '',
          group: 'autoscaling',
          kind: 'Scale',
          causes: [
            {
              reason: 'FieldValueInvalid',
              message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
              field: 'spec.replicas',
            },
          ],
        },
      },
    );
  const next = draftOf(old);
  write(next, replicas);
  return next;
}
