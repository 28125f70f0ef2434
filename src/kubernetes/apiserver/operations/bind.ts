/** `pods/binding`: the scheduler's word. Source: `pkg/registry/core/pod/storage/storage.go`, "BindingREST". */
import { isoSeconds } from '#base';
import { conflict, invalid, StatusError } from '../../status.ts';
import type { Binding, Pod, Status } from '../../types.ts';
import type { Draft } from '../draft.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { rewrite } from './rewrite.ts';

export async function bind(parts: ApiParts, call: NamedCall, binding: Binding): Promise<Status> {
  const { kind, name: node } = binding.target ?? {};
  if (!node)
    throw invalid({ group: '', kind: 'Binding' }, call.name, [
      { type: 'Required value', field: 'target.name', message: 'Required value' },
    ]);
  if (kind && kind !== 'Node')
    throw invalid({ group: '', kind: 'Binding' }, call.name, [
      {
        type: 'Unsupported value',
        field: 'target.kind',
        message: `Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`,
      },
    ]);
  const uid = binding.metadata?.uid;
  await rewrite(parts, call, (object) => assign(object, { node, uid, binding, now: isoSeconds(parts.clock.now()) }));
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

interface Assignment {
  readonly node: string;
  readonly uid: string | undefined;
  readonly binding: Binding;
  readonly now: string;
}

function assign(pod: Draft<Pod>, { node, uid, binding, now }: Assignment): void {
  const meta = (pod.metadata ??= {});
  const name = meta.name ?? '';
  const refuse = (why: string) => conflict({ group: '', resource: 'pods/binding' }, name, why);
  if (uid && uid !== meta.uid)
    throw refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${meta.uid}`);
  if (meta.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (!pod.spec) throw new StatusError('InternalError', `pod ${name} has no spec`);
  if (pod.spec.nodeName) throw refuse(`pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  if (pod.spec.schedulingGates?.length) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec.nodeName = node;
  if (binding.metadata?.annotations) meta.annotations = { ...meta.annotations, ...binding.metadata.annotations };
  if (binding.metadata?.labels) meta.labels = { ...meta.labels, ...binding.metadata.labels };
  const status = (pod.status ??= {});
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  status.conditions = [...others, { type: 'PodScheduled', status: 'True', lastTransitionTime: now }];
}
