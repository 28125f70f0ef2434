/** What a Pod Security check is, and how what it found is told. Upstream: `pod-security-admission/policy`. */
import type { Container, ObjectMeta, PodSpec } from '../../types.ts';

/** The part of a pod, or of a workload's template, that checks look at. */
export interface Checked {
  readonly metadata: ObjectMeta | undefined;
  readonly spec: PodSpec;
}

export interface Violation {
  /** `allowPrivilegeEscalation != false`: names the rule. */
  readonly reason: string;
  /** `container "c" must set securityContext.allowPrivilegeEscalation=false`: names the places. */
  readonly detail: string;
}

/** `minor` is that of the version whose rules count: some were milder once. */
export type Check = (checked: Checked, minor: number) => Violation | undefined;

export type AnyContainer = Pick<
  Container,
  'name' | 'securityContext' | 'ports' | 'lifecycle' | 'livenessProbe' | 'readinessProbe' | 'startupProbe'
>;

/** Init containers first, as upstream visits them. */
export function containersOf(spec: PodSpec): readonly AnyContainer[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

/** `reason (detail)`, all of them. */
export function describeViolations(violations: readonly Violation[]): string {
  return violations.map(({ reason, detail }) => (detail ? `${reason} (${detail})` : reason)).join(', ');
}

export function quoted(values: Iterable<string>): string {
  return [...values].map((value) => JSON.stringify(value)).join(', ');
}

export function plural(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}

/** `container "a"`, `containers "a", "b"`. */
export function named(containers: readonly { readonly name: string }[]): string {
  return `${plural('container', containers.length)} ${quoted(containers.map(({ name }) => name))}`;
}

/** A rule that every container must keep by itself. */
export function eachContainer(
  reason: string,
  isBad: (container: AnyContainer) => boolean | undefined,
  describe: (bad: readonly AnyContainer[]) => string,
): Check {
  return ({ spec }) => {
    const bad = containersOf(spec).filter(isBad);
    return bad.length > 0 ? { reason, detail: describe(bad) } : undefined;
  };
}

/** A rule for what a pod sets for all its containers, and each container for itself. */
export function podAndContainers(
  reason: string,
  isBad: (context: PodSpec['securityContext'] | Container['securityContext']) => boolean | undefined,
  rule: string,
): Check {
  return ({ spec }) => {
    const bad = containersOf(spec).filter(({ securityContext }) => isBad(securityContext));
    const isPodBad = isBad(spec.securityContext);
    if (!isPodBad && bad.length === 0) return undefined;
    const who = [...(isPodBad ? ['pod'] : []), ...(bad.length > 0 ? [named(bad)] : [])].join(' and ');
    return { reason, detail: `${who} ${rule}` };
  };
}
