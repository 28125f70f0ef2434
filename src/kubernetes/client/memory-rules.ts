/** What storage does to an object on its way in: apiserver `registry/rest`, "BeforeCreate", "BeforeUpdate", "BeforeDelete". */
import { isoSeconds } from '#base';
import { apiVersionOf, type KubernetesObject, type ResourceType } from '../object.ts';
import { conflict } from '../status.ts';
import type { DeleteOptions } from '../types.ts';
import { draftOf, type Json } from './memory-json.ts';

/** Resources whose deletion waits for a kubelet. */
export function isGraceful(type: ResourceType): boolean {
  return type.group === '' && type.resource === 'pods';
}

export const rules = {
  onCreate(type: ResourceType, draft: Json, { uid, now }: { readonly uid: string; readonly now: string }): void {
    draft['apiVersion'] = apiVersionOf(type);
    draft['kind'] = type.kind;
    delete draft['status'];
    const meta = draft['metadata'] as Json;
    meta['uid'] = uid;
    meta['creationTimestamp'] = now;
    delete meta['deletionTimestamp'];
    if (draft['spec'] !== undefined) meta['generation'] = 1;
    if (isGraceful(type)) draft['status'] = { phase: 'Pending' };
    if (type.resource === 'namespaces') {
      draft['status'] = { phase: 'Active' };
      draft['spec'] = { ...(draft['spec'] as Json | undefined), finalizers: ['kubernetes'] };
    }
  },

  /** What is stored when `next` is asked for over `stored`, by way of a subresource or the object itself. */
  onUpdate(stored: Json, next: Json, subresource: string | undefined): Json {
    const meta = stored['metadata'] as Json;
    if (subresource === 'status' || subresource === 'approval')
      return {
        ...stored,
        metadata: withWritable(meta, next['metadata'] as Json),
        ...('status' in next && { status: next['status'] }),
      };
    if (subresource === 'finalize') return { ...stored, spec: next['spec'] };
    const draft: Json = { ...next, apiVersion: stored['apiVersion'], kind: stored['kind'] };
    delete draft['status'];
    if ('status' in stored) draft['status'] = stored['status'];
    const kept = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation'];
    const wanted = { ...(next['metadata'] as Json), resourceVersion: meta['resourceVersion'] } as Json;
    for (const name of kept) {
      delete wanted[name];
      if (meta[name] !== undefined) wanted[name] = meta[name];
    }
    draft['metadata'] = inOrderOf(meta, wanted);
    if (meta['generation'] !== undefined && JSON.stringify(specOf(draft)) !== JSON.stringify(specOf(stored)))
      (draft['metadata'] as Json)['generation'] = Number(meta['generation']) + 1;
    return inOrderOf(stored, draft);
  },

  onDelete(type: ResourceType, draft: Json, options: DeleteOptions, nowMs: number): void {
    const meta = draft['metadata'] as Json & { finalizers?: string[] };
    const spec = (draft['spec'] ?? {}) as Json;
    const phase = (draft['status'] as { phase?: string } | undefined)?.phase;
    const isRunning = isGraceful(type) && spec['nodeName'] && phase !== 'Succeeded' && phase !== 'Failed';
    const asked = options.gracePeriodSeconds ?? Number(spec['terminationGracePeriodSeconds'] ?? 30);
    const grace = isRunning ? asked : 0;
    const before = meta['deletionGracePeriodSeconds'] as number | undefined;
    if (meta['deletionTimestamp'] === undefined || (before !== undefined && grace < before)) {
      meta['deletionTimestamp'] = isoSeconds(nowMs + grace * 1000);
      meta['deletionGracePeriodSeconds'] = grace;
    }
    const finalizer = { Foreground: 'foregroundDeletion', Orphan: 'orphan' }[options.propagationPolicy ?? ''];
    if (finalizer && !meta.finalizers?.includes(finalizer)) meta.finalizers = [...(meta.finalizers ?? []), finalizer];
    if (type.resource === 'namespaces')
      draft['status'] = { ...(draft['status'] as Json | undefined), phase: 'Terminating' };
  },

  onBind(draft: Json, body: KubernetesObject, name: string, now: string): void {
    const spec = draft['spec'] as Json;
    if (spec['nodeName'])
      throw conflict(
        { group: '', resource: 'pods/binding' },
        name,
        `pod ${name} is already assigned to node "${spec['nodeName'] as string}"`,
      );
    spec['nodeName'] = (body as { target?: { name?: string } }).target?.name;
    const status = (draft['status'] ?? {}) as Json & { conditions?: { type: string }[] };
    const others = (status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
    draft['status'] = {
      ...status,
      conditions: [...others, { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now }],
    };
  },
};

/** All but metadata and status: what a generation counts. */
function specOf({ metadata: _metadata, status: _status, ...rest }: Json): Json {
  return rest;
}

/** `value` with the names it shares with `model` in the model's order, so that equal objects have equal text. */
function inOrderOf(model: Json, value: Json): Json {
  const ordered: Json = {};
  for (const name of Object.keys(model)) if (name in value) ordered[name] = value[name];
  return draftOf({ ...ordered, ...value });
}

/** What of metadata is written with a status too. */
function withWritable(stored: Json, next: Json): Json {
  const kept = { ...stored };
  for (const name of ['labels', 'annotations', 'finalizers', 'ownerReferences'])
    if (next[name] === undefined) delete kept[name];
    else kept[name] = next[name];
  return kept;
}
