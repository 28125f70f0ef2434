/** The levels of Pod Security, how a namespace chooses them, and what of a pod breaks one. */
import type { Namespace } from '../../types.ts';
import { baselineChecks } from './baseline.ts';
import type { Check, Checked, Violation } from './check.ts';
import { restrictedChecks } from './restricted.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';
export type Mode = 'enforce' | 'audit' | 'warn';

export interface Policy {
  readonly level: Level;
  /** `latest` or `v1.x`. All versions are checked as the latest is: it refuses what any did, and newer kinds of reach besides. */
  readonly version: string;
}

/** `restricted:latest`. */
export function describePolicy({ level, version }: Policy): string {
  return `${level}:${version}`;
}

/** What a namespace asks for; without labels, nothing. A level that is none, which validation does not let in, counts as the strictest. */
export function policyOf(namespace: Namespace | undefined, mode: Mode): Policy {
  const labels = namespace?.metadata?.labels ?? {};
  const level = labels[`pod-security.kubernetes.io/${mode}`] ?? 'privileged';
  return {
    level: level === 'privileged' || level === 'baseline' ? level : 'restricted',
    version: labels[`pod-security.kubernetes.io/${mode}-version`] ?? 'latest',
  };
}

/** Rules of Restricted that stand in place of a weaker one of Baseline. */
const {
  capabilities: _capabilities,
  seccompProfile: _seccomp,
  hostPathVolumes: _hostPath,
  ...alsoRestricted
} = baselineChecks;

const checks: { readonly [Name in Level]: readonly Check[] } = {
  privileged: [],
  baseline: Object.values(baselineChecks),
  restricted: [...Object.values(alsoRestricted), ...Object.values(restrictedChecks)],
};

/** Checks that ask for what Windows pods cannot have. */
const linuxOnly = new Set<Check>([
  restrictedChecks.allowPrivilegeEscalation,
  restrictedChecks.capabilities,
  restrictedChecks.seccompProfile,
]);

export function violationsOf({ level }: Policy, checked: Checked): readonly Violation[] {
  const isWindows = checked.spec.os?.name === 'windows';
  return checks[level].flatMap((check) => (isWindows && linuxOnly.has(check) ? [] : (check(checked) ?? [])));
}

const order: readonly Level[] = ['privileged', 'baseline', 'restricted'];

export function isStricter(a: Level, b: Level): boolean {
  return order.indexOf(a) > order.indexOf(b);
}
