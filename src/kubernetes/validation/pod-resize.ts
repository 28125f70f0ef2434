/** What `pods/resize` may change: `pkg/apis/core/validation`, "ValidatePodResize", v1.34. */
import { qosClassOf } from '../qos.ts';
import type { FieldError } from '../status.ts';
import type { Container, Pod } from '../types.ts';
import { forbiddenField, invalidValue, same, when, type Errors } from './field.ts';

const resizable = new Set(['cpu', 'memory']);

export function resizeErrors(pod: Pod, old: Pod): Errors {
  return [
    ...when(qosClassOf(pod) !== (old.status?.qosClass ?? qosClassOf(old)), () =>
      invalidValue('spec', qosClassOf(pod), 'Pod QOS Class may not change as a result of resizing'),
    ),
    ...listErrors('spec.containers', pod.spec?.containers, old.spec?.containers),
    ...listErrors('spec.initContainers', pod.spec?.initContainers, old.spec?.initContainers),
  ];
}

function listErrors(
  field: string,
  containers: readonly Container[] = [],
  before: readonly Container[] = [],
): readonly FieldError[] {
  return containers.flatMap((container, index) => {
    const old = before.find(({ name }) => name === container.name);
    if (!old || same(container, old)) return [];
    const path = `${field}[${index}].resources`;
    const isInit = field === 'spec.initContainers' && container.restartPolicy !== 'Always';
    return [
      ...when(isInit, () => forbiddenField(path, 'only sidecar init containers can be resized')),
      ...when(!same(container.resizePolicy, old.resizePolicy) || !same(fixed(container), fixed(old)), () =>
        forbiddenField('spec', 'only cpu and memory resources are mutable'),
      ),
      ...removed(
        `${path}.limits`,
        'resource limits cannot be removed',
        container.resources?.limits,
        old.resources?.limits,
      ),
      ...removed(
        `${path}.requests`,
        'resource requests cannot be removed',
        container.resources?.requests,
        old.resources?.requests,
      ),
    ];
  });
}

type Amounts = { readonly [name: string]: string } | undefined;

/** The resources that stay as they are. */
function fixed({ resources }: Container): object {
  const rest = (amounts: Amounts) =>
    Object.fromEntries(Object.entries(amounts ?? {}).filter(([name]) => !resizable.has(name)));
  return { limits: rest(resources?.limits), requests: rest(resources?.requests), claims: resources?.claims ?? [] };
}

function removed(path: string, message: string, now: Amounts, before: Amounts): Errors {
  const gone = Object.keys(before ?? {}).some((name) => resizable.has(name) && now?.[name] === undefined);
  return when(gone, () => forbiddenField(path, message));
}
