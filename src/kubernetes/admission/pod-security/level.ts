/** The levels of Pod Security, how a namespace chooses them, and what of a pod breaks one. */
import type { Namespace } from '../../types.ts';
import { baselineChecks } from './baseline.ts';
import type { Check, Checked, Violation } from './check.ts';
import { restrictedChecks } from './restricted.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';
export type Mode = 'enforce' | 'audit' | 'warn';

export interface Policy {
  readonly level: Level;
  /** `latest` or `v1.x`: the rules as they were then. */
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

/** A check, and the minor version it came with. Upstream: `MinimumVersion` of each in `pod-security-admission/policy`. */
interface Dated {
  readonly check: Check;
  readonly since: number;
  /** A weaker check of Baseline, in whose place this one stands. */
  readonly inPlaceOf?: Check;
}

const { hostProbes, capabilities, seccompProfile, hostPathVolumes, ...alwaysThere } = baselineChecks;

const baseline: readonly Dated[] = [
  ...Object.values({ ...alwaysThere, capabilities, hostPathVolumes }).map((check) => ({ check, since: 0 })),
  { check: seccompProfile, since: 19 },
  { check: hostProbes, since: 34 },
];

const restricted: readonly Dated[] = [
  { check: restrictedChecks.allowPrivilegeEscalation, since: 8 },
  { check: restrictedChecks.capabilities, since: 22, inPlaceOf: capabilities },
  { check: restrictedChecks.restrictedVolumes, since: 0, inPlaceOf: hostPathVolumes },
  { check: restrictedChecks.runAsNonRoot, since: 0 },
  { check: restrictedChecks.runAsUser, since: 23 },
  { check: restrictedChecks.seccompProfile, since: 19, inPlaceOf: seccompProfile },
];

/** In the order in which upstream tells them: Baseline's by their names, then Restricted's. */
const inOrder: readonly Check[] = [...Object.values(baselineChecks), ...Object.values(restrictedChecks)];

function checksOf(level: Level, minor: number): readonly Check[] {
  const isThere = ({ since }: Dated) => since <= minor;
  const weak = level === 'privileged' ? [] : baseline.filter(isThere);
  const strict = level === 'restricted' ? restricted.filter(isThere) : [];
  const replaced = new Set(strict.map(({ inPlaceOf }) => inPlaceOf));
  const chosen = new Set([...weak.filter(({ check }) => !replaced.has(check)), ...strict].map(({ check }) => check));
  return inOrder.filter((check) => chosen.has(check));
}

/** Checks that ask for what Windows pods cannot have; since v1.25 they need not. */
const linuxOnly = new Set<Check>([
  restrictedChecks.allowPrivilegeEscalation,
  restrictedChecks.capabilities,
  restrictedChecks.seccompProfile,
]);

export function violationsOf({ level, version }: Policy, checked: Checked): readonly Violation[] {
  const minor = minorOf(version);
  const isExempt = checked.spec.os?.name === 'windows' && minor >= 25;
  return checksOf(level, minor).flatMap((check) =>
    isExempt && linuxOnly.has(check) ? [] : (check(checked, minor) ?? []),
  );
}

/** What names no version counts as the latest, as does one of the future. */
function minorOf(version: string): number {
  const minor = /^v1\.(\d+)$/.exec(version)?.[1];
  return minor === undefined ? Infinity : Number(minor);
}

const order: readonly Level[] = ['privileged', 'baseline', 'restricted'];

export function isStricter(a: Level, b: Level): boolean {
  return order.indexOf(a) > order.indexOf(b);
}
