/**
 * Pod Security admission: refuses pods that break the level their namespace enforces, warns of those that break the one it warns of, and of workloads whose
 * pods would. Upstream: `pod-security-admission/admission`.
 */
import type { AdmissionPlugin, AdmissionRequest } from '../../auth/user.ts';
import type { Informer } from '../../client/informer.ts';
import type { KubernetesObject } from '../../object.ts';
import { namespaces, pods } from '../../resources.ts';
import type { CronJob, Deployment, Namespace, Pod, PodSpec } from '../../types.ts';
import { creates, isOf, reader, refusal, type AdmissionParts } from '../plugin.ts';
import { describeViolations, type Checked } from './check.ts';
import { describePolicy, isStricter, policyOf, violationsOf } from './level.ts';

export function podSecurity({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const namespaceCopies = reader(informers.of(namespaces));
  const podCopies = reader(informers.of(pods));

  return {
    name: 'PodSecurity',
    async validate(request) {
      const { type, namespace } = request;
      if (isOf(type, namespaces)) return namespaceWarnings(request, await podCopies());
      if (!namespace) return [];
      const home = (await namespaceCopies()).get(namespace);
      if (isOf(type, pods)) return changesSecurity(request) ? checkPod(request, home) : [];
      const template = templateOf(request);
      return template ? warnings(home, template) : [];
    },
  };
}

function checkPod(request: AdmissionRequest, home: Namespace | undefined): readonly string[] {
  const pod = request.object as Pod;
  const checked = { metadata: pod.metadata, spec: pod.spec! };
  const policy = policyOf(home, 'enforce');
  const violations = violationsOf(policy, checked);
  if (violations.length > 0)
    throw refusal(request, `violates PodSecurity "${describePolicy(policy)}": ${describeViolations(violations)}`);
  return warnings(home, checked);
}

function warnings(home: Namespace | undefined, checked: Checked): readonly string[] {
  const policy = policyOf(home, 'warn');
  const violations = violationsOf(policy, checked);
  return violations.length > 0
    ? [`would violate PodSecurity "${describePolicy(policy)}": ${describeViolations(violations)}`]
    : [];
}

/** New pods, new ephemeral containers, and changed images: the rest of a pod that counts here cannot change. */
function changesSecurity(request: AdmissionRequest): boolean {
  const { operation, subresource, object, oldObject } = request;
  if (creates(request, pods)) return true;
  if (operation !== 'UPDATE' || (subresource && subresource !== 'ephemeralcontainers')) return false;
  const relevant = (pod: Pod) =>
    JSON.stringify([pod.spec?.containers, pod.spec?.initContainers, pod.spec?.ephemeralContainers]);
  return relevant(object as Pod) !== relevant(oldObject as Pod);
}

const workloads = new Set([
  '/podtemplates',
  '/replicationcontrollers',
  'apps/daemonsets',
  'apps/deployments',
  'apps/replicasets',
  'apps/statefulsets',
  'batch/cronjobs',
  'batch/jobs',
]);

/** The pods that a new or changed workload would make. */
function templateOf({ type, operation, subresource, object }: AdmissionRequest): Checked | undefined {
  const isWrite = (operation === 'CREATE' || operation === 'UPDATE') && !subresource;
  if (!isWrite || !object || !workloads.has(`${type.group}/${type.resource}`)) return undefined;
  const { template } =
    (type.resource === 'cronjobs' ? (object as CronJob).spec?.jobTemplate.spec : holderOf(type.resource, object)) ?? {};
  return template?.spec && { metadata: template.metadata, spec: template.spec };
}

type Template = NonNullable<Deployment['spec']>['template'];

/** A pod template is one itself; every other workload has it in its spec. */
function holderOf(resource: string, object: KubernetesObject): { readonly template?: Template } | undefined {
  return resource === 'podtemplates' ? (object as { readonly template?: Template }) : (object as Deployment).spec;
}

/** A level that is raised says which pods, already there, would not have been let in. */
function namespaceWarnings(request: AdmissionRequest, copies: Informer<Pod>): readonly string[] {
  const { operation, subresource, object, oldObject, name } = request;
  if (operation !== 'UPDATE' || subresource) return [];
  const [next, before] = [policyOf(object, 'enforce'), policyOf(oldObject, 'enforce')];
  if (!isStricter(next.level, before.level)) return [];
  const byReasons = new Map<string, string[]>();
  for (const pod of copies.list(name).toSorted((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1))) {
    const reasons = violationsOf(next, { metadata: pod.metadata, spec: pod.spec as PodSpec })
      .map(({ reason }) => reason)
      .join(', ');
    if (reasons) byReasons.set(reasons, [...(byReasons.get(reasons) ?? []), pod.metadata!.name!]);
  }
  if (byReasons.size === 0) return [];
  const lines = [...byReasons].map(([reasons, names]) => `${someOf(names)}: ${reasons}`);
  return [
    `existing pods in namespace "${name}" violate the new PodSecurity enforce level "${describePolicy(next)}"`,
    ...lines.sort(),
  ];
}

function someOf([first, ...others]: readonly string[]): string {
  if (others.length === 0) return first!;
  return `${first} (and ${others.length} other ${others.length === 1 ? 'pod' : 'pods'})`;
}
