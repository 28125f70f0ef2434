import { DabbaError } from '#base';
import type * as types from '../../types.ts';
import { expand } from './expand.ts';
import { fieldValue, type DownwardFacts } from './field-ref.ts';
import { resourceValue, type Allocatable } from './resource-field.ts';

type EnvVar = NonNullable<types.Container['env']>[number];
type EnvFrom = NonNullable<types.Container['envFrom']>[number];

/** What the variables of a container are made from. */
export interface EnvironmentSources {
  /** Of the services there are. */
  readonly services: ReadonlyMap<string, string>;
  readonly facts: DownwardFacts;
  readonly allocatable: Allocatable;
  /** Undefined when there is none. */
  configMap(name: string): Promise<types.ConfigMap | undefined>;
  secret(name: string): Promise<types.Secret | undefined>;
}

/**
 * The variables of a container, in the order they are set: services, `envFrom`, `env`; later ones win. Throws `FailedPrecondition` with upstream's words for a
 * reference that leads nowhere (`CreateContainerConfigError`).
 */
export async function environmentOf(
  pod: types.Pod,
  container: types.Container,
  sources: EnvironmentSources,
): Promise<ReadonlyMap<string, string>> {
  const result = new Map(sources.services);
  for (const from of container.envFrom ?? []) await addFrom(result, from, sources);
  // References are resolved over what the services and earlier variables gave, as upstream does.
  for (const variable of container.env ?? []) {
    const value = await valueOf(variable, { pod, container, sources, known: result });
    if (value !== undefined) result.set(variable.name, value);
  }
  return result;
}

async function addFrom(
  result: Map<string, string>,
  { prefix = '', configMapRef, secretRef }: EnvFrom,
  sources: EnvironmentSources,
): Promise<void> {
  const reference = configMapRef ?? secretRef;
  if (!reference?.name) return;
  const kind = configMapRef ? 'configmap' : 'secret';
  const data = await dataOf(sources, kind, reference.name);
  if (!data && !reference.optional) throw missing(kind, reference.name);
  for (const [name, value] of Object.entries(data ?? {})) result.set(`${prefix}${name}`, value);
}

async function valueOf(
  { value, valueFrom }: EnvVar,
  {
    pod,
    container,
    sources,
    known,
  }: {
    readonly pod: types.Pod;
    readonly container: types.Container;
    readonly sources: EnvironmentSources;
    readonly known: ReadonlyMap<string, string>;
  },
): Promise<string | undefined> {
  if (!valueFrom) return expand(value ?? '', known);
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef) return fieldValue(pod, fieldRef.fieldPath, sources.facts);
  if (resourceFieldRef) {
    const { containerName, divisor, resource } = resourceFieldRef;
    const of = containerName ? containerNamed(pod, containerName) : container;
    return resourceValue(of, resource, { allocatable: sources.allocatable, ...(divisor && { divisor }) });
  }
  const reference = configMapKeyRef ?? secretKeyRef;
  if (!reference) return '';
  const kind = configMapKeyRef ? 'configmap' : 'secret';
  const data = await dataOf(sources, kind, reference.name ?? '');
  if (!data) {
    if (reference.optional) return undefined;
    throw missing(kind, reference.name ?? '');
  }
  const found = data[reference.key];
  if (found !== undefined) return found;
  if (reference.optional) return undefined;
  const where = `${pod.metadata?.namespace}/${reference.name}`;
  throw new DabbaError(
    'FailedPrecondition',
    kind === 'configmap'
      ? `couldn't find key ${reference.key} in ConfigMap ${where}`
      : `couldn't find key ${reference.key} in Secret ${where}`,
  );
}

async function dataOf(
  sources: EnvironmentSources,
  kind: 'configmap' | 'secret',
  name: string,
): Promise<{ readonly [key: string]: string } | undefined> {
  if (kind === 'secret') return decoded(await sources.secret(name));
  const map = await sources.configMap(name);
  return map && (map.data ?? {});
}

function decoded(secret: types.Secret | undefined): { readonly [key: string]: string } | undefined {
  if (!secret) return undefined;
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]),
  );
}

function containerNamed({ spec }: types.Pod, name: string): types.Container {
  const found = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].find((each) => each.name === name);
  if (!found) throw new DabbaError('FailedPrecondition', `container ${name} not found`);
  return found;
}

function missing(kind: string, name: string): DabbaError {
  return new DabbaError('FailedPrecondition', `${kind} "${name}" not found`);
}
