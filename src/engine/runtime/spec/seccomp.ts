import type { OciSeccomp } from './oci.ts';
import { seccompArchitectures, seccompProfile, type SeccompRule } from './seccomp-profile.ts';

/**
 * The default profile for a container with these capabilities on this architecture (Node's name), in the form runc takes. Undefined for an
 * architecture the profile does not know, where no filter is better than a wrong one. An ABI that the kernel lacks has no rules: nothing can run by
 * them, and each costs a start three milliseconds, for the filter is made anew for every container.
 */
export function seccompFor(
  capabilities: ReadonlySet<string>,
  architecture: string,
  machine: { readonly hasX32: boolean },
): OciSeccomp | undefined {
  const architectures = seccompArchitectures[architecture]?.filter(
    (name) => machine.hasX32 || name !== 'SCMP_ARCH_X32',
  );
  if (!architectures) return undefined;
  const holds = (rule: SeccompRule) =>
    (rule.onlyOn === undefined || rule.onlyOn === architecture) &&
    (rule.onlyWithCapability === undefined || capabilities.has(rule.onlyWithCapability)) &&
    (rule.onlyWithoutCapability === undefined || !capabilities.has(rule.onlyWithoutCapability));
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures,
    syscalls: seccompProfile.filter(holds).map(resolve),
  };
}

function resolve({ names, errno, argument }: SeccompRule): OciSeccomp['syscalls'][number] {
  return {
    names: names.split(/\s+/).filter((name) => name !== ''),
    ...(errno === undefined ? { action: 'SCMP_ACT_ALLOW' } : { action: 'SCMP_ACT_ERRNO', errnoRet: errno }),
    ...(argument && { args: [comparison(argument)] }),
  };
}

/** For MASKED_EQ libseccomp takes the mask as `value` and what must remain as `valueTwo`. */
function comparison({ index, operator, value }: NonNullable<SeccompRule['argument']>) {
  return { index, value, op: `SCMP_CMP_${operator}`, ...(operator === 'MASKED_EQ' && { valueTwo: 0 }) };
}
