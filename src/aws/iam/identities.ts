import { isAccountId, type AccountId, type Clock } from '#base';
import type { AccessKey, Authorizer, Identities, Principal } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { Directory } from './directory.ts';
import { entityArn, rootArn } from './names.ts';
import type { RoleRecord } from './records.ts';
import type { SessionMaker } from './sessions.ts';

/** A key that belongs to the root of an account by configuration. */
export interface RootKey {
  readonly account: AccountId;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const WELL_KNOWN_SECRET = 'test';
const WELL_KNOWN_ACCOUNT = '000000000000' as AccountId;

export function createIdentities(options: {
  readonly directory: Directory;
  readonly authorizer: Authorizer;
  readonly sessions: SessionMaker;
  readonly clock: Clock;
  readonly rootKeys: readonly RootKey[];
  /** `test`/`test` is the root of 000000000000, `<12 digits>`/`test` that of the account. Only for listeners on loopback. */
  readonly wellKnownKeys: boolean;
}): Identities {
  const { directory, authorizer, sessions, clock } = options;
  const rootKeys = new Map(options.rootKeys.map((key) => [key.accessKeyId, rootKey(key.account, key)]));

  const wellKnown = (accessKeyId: string): AccessKey | undefined => {
    const account = accessKeyId === 'test' ? WELL_KNOWN_ACCOUNT : accessKeyId;
    if (!options.wellKnownKeys || !isAccountId(account)) return undefined;
    return rootKey(account, { accessKeyId, secretAccessKey: WELL_KNOWN_SECRET });
  };

  const find = (accessKeyId: string): AccessKey | undefined =>
    rootKeys.get(accessKeyId) ??
    wellKnown(accessKeyId) ??
    (accessKeyId.startsWith('ASIA') ? sessionKey(accessKeyId) : userKey(accessKeyId));

  const userKey = (accessKeyId: string): AccessKey | undefined => {
    const key = directory.findAccessKey(accessKeyId);
    const user = key?.status === 'Active' ? directory.users.get(key.account, key.userName) : undefined;
    if (!key || !user) return undefined;
    const { account, name: userName, id: principalId } = user;
    return {
      secretAccessKey: key.secretAccessKey,
      principal: { kind: 'user', account, arn: entityArn('user', user), principalId, accessKeyId, userName },
    };
  };

  const sessionKey = (accessKeyId: string): AccessKey | undefined => {
    const session = directory.findSession(accessKeyId);
    if (!session || session.expiresAt <= clock.now()) return undefined;
    return {
      secretAccessKey: session.secretAccessKey,
      sessionToken: session.sessionToken,
      principal: session.principal,
    };
  };

  return {
    find: (accessKeyId) => Promise.resolve(find(accessKeyId)),

    hasExpired(accessKeyId) {
      const session = directory.findSession(accessKeyId);
      return session !== undefined && session.expiresAt <= clock.now();
    },

    async issueRoleSession(request) {
      const role = findRole(directory, request.roleArn);
      const principal: Principal = {
        kind: 'service',
        account: role?.account ?? WELL_KNOWN_ACCOUNT,
        service: request.service,
        arn: rootArn(role?.account ?? WELL_KNOWN_ACCOUNT),
      };
      const tags = request.sessionTags && tagContext(request.sessionTags);
      const trusts = async (action: string, { account, trustPolicy }: RoleRecord): Promise<boolean> => {
        const decision = await authorizer.decide({
          principal,
          action,
          resource: request.roleArn,
          context: { ...request.context, ...tags },
          account,
          resourcePolicy: { document: trustPolicy, isTrust: true },
        });
        return decision.allowed;
      };
      if (!role || !(await trusts('sts:AssumeRole', role)) || (tags && !(await trusts('sts:TagSession', role))))
        throw new AwsError(
          'AccessDenied',
          `${request.service} is unable to assume the role '${request.roleArn}'. Verify that the role exists and that its trust policy allows ${request.service} to assume it.`,
          { status: 403 },
        );
      const credentials = await sessions.create(
        rolePrincipal(role, {
          sessionName: request.sessionName,
          sessionPolicies: request.sessionPolicies ?? [],
          ...(request.sessionTags && { sessionTags: request.sessionTags }),
          issuedAt: clock.now(),
        }),
        request.durationMs,
      );
      return { ...credentials, roleArn: entityArn('role', role) };
    },

    describeRole(arn) {
      const role = findRole(directory, arn);
      return Promise.resolve(
        role && {
          arn: entityArn('role', role),
          name: role.name,
          account: role.account,
          roleId: role.id,
          maxSessionMs: role.maxSessionSeconds * 1000,
        },
      );
    },
  };
}

function tagContext(tags: { readonly [key: string]: string }) {
  return {
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
    'aws:TagKeys': Object.keys(tags),
  };
}

function rootKey(
  account: AccountId,
  key: { readonly accessKeyId: string; readonly secretAccessKey: string },
): AccessKey {
  return {
    secretAccessKey: key.secretAccessKey,
    principal: { kind: 'root', account, arn: rootArn(account), principalId: account, accessKeyId: key.accessKeyId },
  };
}

/** The role with exactly this ARN. */
export function findRole(directory: Directory, arn: string): RoleRecord | undefined {
  const match = /^arn:aws:iam::(\d{12}):role\/(?:.*\/)?([^/]+)$/.exec(arn);
  const role = match ? directory.roles.get(match[1]!, match[2]!) : undefined;
  return role && entityArn('role', role) === arn ? role : undefined;
}

/** The principal of a session of a role; its key and end are added when the session is made. */
export function rolePrincipal(
  role: RoleRecord,
  session: {
    readonly sessionName: string;
    readonly sessionPolicies: readonly string[];
    readonly sessionTags?: { readonly [key: string]: string };
    readonly issuedAt: number;
  },
): Extract<Principal, { kind: 'assumed-role' }> {
  return {
    kind: 'assumed-role',
    account: role.account,
    arn: `arn:aws:sts::${role.account}:assumed-role/${role.name}/${session.sessionName}` as Extract<
      Principal,
      { kind: 'assumed-role' }
    >['arn'],
    principalId: `${role.id}:${session.sessionName}`,
    accessKeyId: '',
    roleArn: entityArn('role', role),
    roleName: role.name,
    ...session,
    expiresAt: 0,
  };
}
