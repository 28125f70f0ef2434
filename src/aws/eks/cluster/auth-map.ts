/** The `aws-auth` config map: Amazon EKS User Guide, "Grant IAM users access to Kubernetes with a ConfigMap". */
import { parse } from 'yaml';
import type { types } from '#kubernetes';
import type { Principal } from '../../auth/index.ts';

export interface AuthMapping {
  readonly username: string;
  readonly groups: readonly string[];
}

export interface AuthMap {
  find(principal: Extract<Principal, { readonly kind: 'root' | 'user' | 'assumed-role' }>): AuthMapping | undefined;
}

interface Entry extends AuthMapping {
  readonly arn: string;
}

/** Reads the map. What a user wrote wrong names nobody; the rest of the map holds. */
export function readAuthMap({ data = {} }: types.ConfigMap): AuthMap {
  const roles = entriesOf(data['mapRoles'], 'rolearn');
  const users = entriesOf(data['mapUsers'], 'userarn');
  const accounts = list(data['mapAccounts']).map(String);
  return {
    find(principal) {
      const entry =
        principal.kind === 'assumed-role'
          ? roles.find(({ arn }) => arn === principal.roleArn || arn === withoutPath(principal.roleArn))
          : users.find(({ arn }) => arn === principal.arn);
      if (entry) return entry;
      return accounts.includes(principal.account) ? { username: principal.arn, groups: [] } : undefined;
    },
  };
}

/** The authenticator's map names roles without their path. */
function withoutPath(arn: string): string {
  return arn.replace(/:role\/.*\//, ':role/');
}

function entriesOf(text: string | undefined, arnField: 'rolearn' | 'userarn'): readonly Entry[] {
  return list(text).flatMap((entry) => {
    const { [arnField]: arn, username, groups } = (entry ?? {}) as { readonly [field: string]: unknown };
    if (typeof arn !== 'string') return [];
    const names = Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [];
    return [{ arn, username: typeof username === 'string' && username ? username : arn, groups: names }];
  });
}

function list(text: string | undefined): readonly unknown[] {
  if (!text) return [];
  try {
    const value: unknown = parse(text, { maxAliasCount: 0 });
    return Array.isArray(value) ? value : [];
  } catch {
    // Whatever the parser dislikes: the map is the user's, and a broken part of it lets nobody in.
    return [];
  }
}
