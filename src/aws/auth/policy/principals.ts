import type { Principal } from '../principal.ts';
import type { PolicyStatement, PrincipalElement } from './document.ts';

/**
 * How a policy's `Principal` means a caller: `itself` by name (or everyone), or only the `account`, which leaves it to that account's own
 * policies to let the caller use what was given.
 */
export type PrincipalMatch = 'itself' | 'account';

/** Compiles `Principal` and `NotPrincipal`. A statement with neither is part of an identity policy and means whoever has it. */
export function compilePrincipals(
  statement: Pick<PolicyStatement, 'principal' | 'notPrincipal'>,
): (principal: Principal) => PrincipalMatch | undefined {
  const { principal: named, notPrincipal: excluded } = statement;
  if (named !== undefined) return (principal) => matchOf(named, principal);
  if (excluded !== undefined) return (principal) => (matchOf(excluded, principal) ? undefined : 'itself');
  return () => 'itself';
}

function matchOf(element: PrincipalElement, principal: Principal): PrincipalMatch | undefined {
  if (element === '*') return 'itself';
  if (principal.kind === 'service') return element['Service']?.includes(principal.service) ? 'itself' : undefined;
  if (principal.kind === 'federated') return element['Federated']?.includes(principal.arn) ? 'itself' : undefined;
  const names = element['AWS'] ?? [];
  if (names.includes('*')) return 'itself';
  if (principal.kind === 'anonymous') return undefined;
  if (names.includes(principal.arn)) return 'itself';
  if (principal.kind === 'assumed-role' && names.includes(principal.roleArn)) return 'itself';
  const isAccount = names.some(
    (name) => name === principal.account || name === `arn:aws:iam::${principal.account}:root`,
  );
  return isAccount ? 'account' : undefined;
}
