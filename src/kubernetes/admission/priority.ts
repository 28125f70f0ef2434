/** Turns the name of a pod's priority class into its number, and keeps at most one class the default. Upstream: `plugin/pkg/admission/priority`. */
import type { AdmissionPlugin, AdmissionRequest } from '../auth/user.ts';
import type { Informer } from '../client/informer.ts';
import { pods, priorityClasses } from '../resources.ts';
import type { Pod, PriorityClass } from '../types.ts';
import { creates, isOf, reader, refusal, type AdmissionParts } from './plugin.ts';

export function priority({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const classes = reader(informers.of(priorityClasses));

  return {
    name: 'Priority',
    async mutate(request) {
      if (!creates(request, pods)) return request.object!;
      const pod = request.object as Pod;
      const found = chosen(request, pod.spec?.priorityClassName, await classes());
      const value = found?.value ?? 0;
      const policy = found?.preemptionPolicy ?? 'PreemptLowerPriority';
      refuseOtherNumbers(request, pod, value, policy);
      const priorityClassName = found?.metadata?.name;
      return {
        ...pod,
        spec: {
          ...pod.spec!,
          ...(priorityClassName && { priorityClassName }),
          priority: value,
          preemptionPolicy: policy,
        },
      };
    },
    async validate(request) {
      const { type, operation } = request;
      if (!isOf(type, priorityClasses) || (operation !== 'CREATE' && operation !== 'UPDATE')) return [];
      const isDefault = (request.object as PriorityClass).globalDefault;
      const other = defaultOf(await classes());
      if (isDefault && other && other.metadata?.name !== request.name) {
        const name = other.metadata?.name;
        throw refusal(request, `PriorityClass ${name} is already marked as default. Only one default can exist`);
      }
      return [];
    },
  };
}

function chosen(request: AdmissionRequest, name: string | undefined, classes: Informer<PriorityClass>) {
  if (!name) return defaultOf(classes);
  const found = classes.get(name);
  if (!found) throw refusal(request, `no PriorityClass with name ${name} was found`);
  return found;
}

/** Of several defaults, which only a race can make, the lowest counts. */
function defaultOf(classes: Informer<PriorityClass>): PriorityClass | undefined {
  return classes
    .list()
    .filter(({ globalDefault }) => globalDefault)
    .sort((a, b) => a.value - b.value)[0];
}

function refuseOtherNumbers(request: AdmissionRequest, { spec }: Pod, value: number, policy: string): void {
  if (spec?.priority !== undefined && spec.priority !== value)
    throw refusal(
      request,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  if (spec?.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
    throw refusal(
      request,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
    );
}
