/** Which user of a cluster an IAM principal is: by access entries first, then by the `aws-auth` config map, as EKS maps them. */
import { parseArn } from '#base';
import type { UserInfo } from '#kubernetes';
import type { Principal } from '../../auth/index.ts';
import { entryArnOf } from '../access-entries.ts';
import type { AuthMap, AuthMapping } from './auth-map.ts';
import { idIn } from '../names.ts';
import type { AccessEntryRecord, ClusterRecord } from '../records.ts';
import type { EksState } from '../state.ts';

/** By this name a user's `extra` says which IAM identity an access entry must name. */
export const CANONICAL_ARN = 'canonicalArn';

type Caller = Extract<Principal, { readonly kind: 'root' | 'user' | 'assumed-role' }>;

export interface ClusterUsersParts {
  readonly state: Pick<EksState, 'clusters' | 'accessEntries'>;
  /** `aws-auth` of the cluster as it is now; undefined when there is none. */
  authMap(): Promise<AuthMap | undefined>;
  /** The private DNS name of an instance, for nodes. */
  instanceName(instanceId: string): Promise<string | undefined>;
}

/** The user, or undefined for a principal that nobody let in. */
export async function clusterUser(
  parts: ClusterUsersParts,
  cluster: ClusterRecord,
  principal: Principal,
): Promise<UserInfo | undefined> {
  if (principal.kind !== 'root' && principal.kind !== 'user' && principal.kind !== 'assumed-role') return undefined;
  const scope = { ...cluster, cluster: cluster.name };
  // Where the map alone is to be asked, the only entries are the service's own: for the creator, and for nodes.
  const entry = await parts.state.accessEntries.get(idIn(scope, entryArnOf(principal)));
  const mapping = entry
    ? mappingOf(entry.value)
    : cluster.authenticationMode === 'API'
      ? undefined
      : (await parts.authMap())?.find(principal);
  if (!mapping) return undefined;
  const nodeName = mapping.username.includes('{{EC2PrivateDNSName}}')
    ? await parts.instanceName(sessionOf(principal))
    : '';
  // A role of nodes is one of instances: a session of it that belongs to none is nobody.
  if (nodeName === undefined) return undefined;
  return {
    username: fillIn(mapping.username, principal, nodeName),
    uid: `aws-iam-authenticator:${principal.account}:${principal.principalId.split(':')[0]}`,
    groups: mapping.groups.map((group) => fillIn(group, principal, nodeName)),
    extra: {
      accessKeyId: [principal.accessKeyId],
      arn: [principal.arn],
      [CANONICAL_ARN]: [entryArnOf(principal)],
      principalId: [principal.principalId],
      sessionName: [sessionOf(principal)],
    },
  };
}

function mappingOf({ username, groups }: AccessEntryRecord): AuthMapping {
  return { username, groups };
}

function sessionOf(principal: Caller): string {
  return principal.kind === 'assumed-role' ? principal.sessionName : '';
}

/** The templates of usernames and groups: aws-iam-authenticator, "Full configuration format". */
function fillIn(template: string, principal: Caller, nodeName: string): string {
  const session = sessionOf(principal);
  return template
    .replaceAll('{{AccountID}}', parseArn(principal.arn).account)
    .replaceAll('{{AccessKeyID}}', principal.accessKeyId)
    .replaceAll('{{EC2PrivateDNSName}}', nodeName)
    .replaceAll('{{SessionNameRaw}}', session)
    .replaceAll('{{SessionName}}', session.replaceAll('@', '-'));
}
