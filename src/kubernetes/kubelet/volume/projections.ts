import { DabbaError } from '#base';
import type * as types from '../../types.ts';
import { fieldValue, type DownwardFacts } from '../container/field-ref.ts';
import { resourceValue, type Allocatable } from '../container/resource-field.ts';
import { checkPath, type ProjectedFile } from './files.ts';

type Volume = types.Volume;
type Item = NonNullable<NonNullable<Volume['configMap']>['items']>[number];
type Projected = NonNullable<NonNullable<Volume['projected']>['sources']>[number];
type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

/** What projected volumes are made from. Objects are undefined when there are none. */
export interface ProjectionSources {
  readonly facts: DownwardFacts;
  readonly allocatable: Allocatable;
  configMap(name: string): Promise<types.ConfigMap | undefined>;
  secret(name: string): Promise<types.Secret | undefined>;
  /** A token of the pod's service account. */
  token(request: { readonly audience: string | undefined; readonly expirationSeconds: number }): Promise<string>;
}

const usualMode = 0o644;
const usualTokenSeconds = 3600;

/** True for volumes whose files the kubelet writes, and writes again when their sources change. */
export function isProjection(volume: Volume): boolean {
  return Boolean(volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected);
}

/** The files of a configMap, secret, downwardAPI or projected volume. Throws `FailedPrecondition` in upstream's words for what is missing. */
export async function project(
  pod: types.Pod,
  volume: Volume,
  sources: ProjectionSources,
): Promise<ReadonlyMap<string, ProjectedFile>> {
  const files = new Map<string, ProjectedFile>();
  const { configMap, secret, downwardAPI, projected } = volume;
  const mode = (configMap ?? secret ?? downwardAPI ?? projected)?.defaultMode ?? usualMode;
  const all: readonly Projected[] = projected
    ? (projected.sources ?? [])
    : [
        {
          ...(configMap && { configMap }),
          // A secret volume calls its name otherwise than a projection of one does.
          ...(secret && { secret: { ...secret, ...(secret.secretName && { name: secret.secretName }) } }),
          ...(downwardAPI && { downwardAPI }),
        },
      ];
  for (const source of all) await addSource(files, pod, source, { mode, sources });
  return files;
}

async function addSource(
  files: Map<string, ProjectedFile>,
  pod: types.Pod,
  { configMap, secret, downwardAPI, serviceAccountToken }: Projected,
  { mode, sources }: { readonly mode: number; readonly sources: ProjectionSources },
): Promise<void> {
  if (configMap) {
    const found = await sources.configMap(configMap.name ?? '');
    const data = found && { ...texts(found.data), ...bytes(found.binaryData) };
    addData(files, data, { ...configMap, kind: 'configmap', namespace: pod.metadata?.namespace, mode });
  }
  if (secret) {
    const found = await sources.secret(secret.name ?? '');
    addData(files, found && bytes(found.data), { ...secret, kind: 'secret', namespace: pod.metadata?.namespace, mode });
  }
  for (const item of downwardAPI?.items ?? [])
    files.set(checkPath(item.path), {
      data: Buffer.from(downwardValue(pod, item, sources)),
      mode: item.mode ?? mode,
    });
  if (serviceAccountToken) {
    const { audience, expirationSeconds = usualTokenSeconds, path } = serviceAccountToken;
    const token = await sources.token({ audience, expirationSeconds });
    files.set(checkPath(path), { data: Buffer.from(token), ...tokenAccess(pod, mode) });
  }
}

function downwardValue(
  pod: types.Pod,
  { fieldRef, resourceFieldRef }: DownwardItem,
  sources: ProjectionSources,
): string {
  if (fieldRef) return fieldValue(pod, fieldRef.fieldPath, sources.facts);
  if (!resourceFieldRef) return '';
  const { containerName, divisor, resource } = resourceFieldRef;
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const container = containers.find(({ name }) => name === containerName);
  if (!container) throw new DabbaError('FailedPrecondition', `container ${containerName} not found`);
  return resourceValue(container, resource, { allocatable: sources.allocatable, ...(divisor && { divisor }) });
}

/** A token is for the pod's user alone when all of it runs as one. Behaviour: kubelet `projected.go`. */
function tokenAccess({ spec }: types.Pod, mode: number): { readonly mode: number; readonly uid?: number } {
  if (spec?.securityContext?.fsGroup !== undefined) return { mode: 0o600 };
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const users = new Set(containers.map((each) => each.securityContext?.runAsUser ?? spec?.securityContext?.runAsUser));
  const [user] = users;
  return users.size === 1 && user !== undefined ? { mode: 0o600, uid: user } : { mode };
}

function addData(
  files: Map<string, ProjectedFile>,
  data: { readonly [key: string]: Buffer } | undefined,
  source: {
    readonly kind: string;
    readonly namespace: string | undefined;
    readonly name?: string;
    readonly items?: readonly Item[];
    readonly optional?: boolean;
    readonly mode: number;
  },
): void {
  const { kind, name, namespace, items, optional, mode } = source;
  if (!data) {
    if (optional) return;
    throw new DabbaError('FailedPrecondition', `${kind} "${name}" not found`);
  }
  if (!items?.length) {
    for (const [key, content] of Object.entries(data)) files.set(checkPath(key), { data: content, mode });
    return;
  }
  for (const item of items) {
    const content = data[item.key];
    if (content) files.set(checkPath(item.path), { data: content, mode: item.mode ?? mode });
    else if (!optional)
      throw new DabbaError(
        'FailedPrecondition',
        `references non-existent ${kind} key: ${item.key} (${namespace}/${name})`,
      );
  }
}

function texts(data: { readonly [key: string]: string } = {}): { readonly [key: string]: Buffer } {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]));
}

function bytes(data: { readonly [key: string]: string } = {}): { readonly [key: string]: Buffer } {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}
