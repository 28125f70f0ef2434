import assert from 'node:assert/strict';
import { createHmac, hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { parseAccountId, systemClock, systemRandom, type AccountId, type Arn } from '#base';
import type { Attributes } from '#kubernetes';
import { memoryStore } from '#store';
import type { Principal } from '../../auth/index.ts';
import { newAccessEntry } from '../access-entries.ts';
import { idIn } from '../names.ts';
import type { AccessEntryRecord, ClusterRecord } from '../records.ts';
import { eksCollections } from '../state.ts';
import { accessAuthorizer } from './access-authorizer.ts';
import { readAuthMap } from './auth-map.ts';
import { createCallerTokens } from './caller-token.ts';
import { clusterUser } from './cluster-users.ts';

const account: AccountId = parseAccountId('000000000000');
const secretAccessKey = 'secret';
const user: Extract<Principal, { kind: 'user' }> = {
  kind: 'user',
  account,
  arn: `arn:aws:iam::${account}:user/dev` as Arn,
  principalId: 'AIDA1',
  accessKeyId: 'AKIA1',
  userName: 'dev',
};
const session: Extract<Principal, { kind: 'assumed-role' }> = {
  kind: 'assumed-role',
  account,
  arn: `arn:aws:sts::${account}:assumed-role/ops/ann@example.com` as Arn,
  principalId: 'AROA1:ann@example.com',
  accessKeyId: 'ASIA1',
  roleArn: `arn:aws:iam::${account}:role/team/ops` as Arn,
  roleName: 'ops',
  sessionName: 'ann@example.com',
  sessionPolicies: [],
  issuedAt: 0,
  expiresAt: 0,
};
const cluster: ClusterRecord = {
  account,
  region: 'us-east-1',
  name: 'c1',
  id: 'x',
  status: 'ACTIVE',
  version: '1.34',
  roleArn: '',
  vpcId: '',
  network: {
    subnetIds: [],
    securityGroupIds: [],
    endpointPublicAccess: true,
    endpointPrivateAccess: false,
    publicAccessCidrs: [],
  },
  securityGroupId: '',
  serviceCidr: '10.100.0.0/16',
  authenticationMode: 'API_AND_CONFIG_MAP',
  bootstrapsCreator: true,
  supportType: 'EXTENDED',
  isDeletionProtected: false,
  tags: {},
  createdAt: 0,
};

/** A token as the command line makes it: a presigned URL whose signature covers the cluster's name. */
function tokenFor(
  name: string,
  { at = Date.now(), action = 'GetCallerIdentity', service = 'sts', more = '' } = {},
): string {
  const time = new Date(at).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/us-east-1/${service}/aws4_request`;
  const query = [
    `Action=${action}`,
    'Version=2011-06-15',
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent(`AKIA1/${scope}`)}`,
    `X-Amz-Date=${time}`,
    'X-Amz-Expires=60',
    'X-Amz-SignedHeaders=host%3Bx-k8s-aws-id',
  ].join('&');
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const request = `GET\n/\n${query}\nhost:sts.amazonaws.com\nx-k8s-aws-id:${name}\n\nhost;x-k8s-aws-id\n${empty}`;
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(request)}`;
  const signature = hmac(key, text).toString('hex');
  const url = `https://sts.amazonaws.com/?${query}&X-Amz-Signature=${signature}${more}`;
  return `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

describe('tokens of callers', () => {
  const tokens = createCallerTokens({
    clock: systemClock,
    identities: {
      find: async (id) => (id === 'AKIA1' ? { secretAccessKey, principal: user } : undefined),
    },
    guestIdentities: { find: async () => undefined },
  });

  test('a token is good for the cluster it was signed for, for fifteen minutes', async () => {
    assert.equal(await tokens.verify(tokenFor('c1'), 'c1', 'loopback'), user);
    assert.equal(await tokens.verify(tokenFor('c1'), 'c2', 'loopback'), undefined);
    const minute = 60_000;
    assert.equal(await tokens.verify(tokenFor('c1', { at: Date.now() - 14 * minute }), 'c1', 'loopback'), user);
    assert.equal(await tokens.verify(tokenFor('c1', { at: Date.now() - 16 * minute }), 'c1', 'loopback'), undefined);
  });

  test('shown from within the cluster, it must be of somebody who may call from there', async () => {
    assert.equal(await tokens.verify(tokenFor('c1'), 'c1', 'cluster'), undefined);
  });

  test('what is signed must be the question who one is, and nothing more', async () => {
    assert.equal(await tokens.verify(tokenFor('c1', { action: 'AssumeRole' }), 'c1', 'loopback'), undefined);
    assert.equal(await tokens.verify(tokenFor('c1', { service: 's3' }), 'c1', 'loopback'), undefined);
    assert.equal(await tokens.verify(tokenFor('c1', { more: '&Action=AssumeRole' }), 'c1', 'loopback'), undefined);
    assert.equal(await tokens.verify(tokenFor('c1', { more: '&Other=1' }), 'c1', 'loopback'), undefined);
    for (const text of ['', 'k8s-aws-v1.', 'k8s-aws-v1.%%%', 'k8s-aws-v1.aHR0cA', 'wrong'])
      assert.equal(await tokens.verify(text, 'c1', 'loopback'), undefined);
  });
});

describe('users of a cluster', () => {
  const state = eksCollections(memoryStore());
  const parts = { state, authMap: async () => undefined, instanceName: async () => undefined };
  const makeEntry = async (principalArn: string, more: Partial<AccessEntryRecord> = {}) => {
    const scope = { account, region: 'us-east-1', cluster: 'c1' };
    const made = newAccessEntry({ random: systemRandom, clock: systemClock }, { ...scope, principalArn, ...more });
    await state.accessEntries.create(idIn(made, principalArn), made);
  };
  const attributes = (more: Partial<Extract<Attributes, { kind: 'resource' }>>, arn: string): Attributes => ({
    kind: 'resource',
    user: { username: arn, groups: [], extra: { canonicalArn: [arn] } },
    verb: 'get',
    group: '',
    version: 'v1',
    resource: 'pods',
    namespace: 'a',
    ...more,
  });

  test('who has no entry is nobody; who has one is named by it', async () => {
    assert.equal(await clusterUser(parts, cluster, user), undefined);
    await makeEntry(user.arn, { groups: ['devs'] });
    const found = await clusterUser(parts, cluster, user);
    assert.equal(found!.username, user.arn);
    assert.deepEqual(found!.groups, ['devs']);
    assert.equal(found!.uid, `aws-iam-authenticator:${account}:AIDA1`);
    const byMap = { ...cluster, authenticationMode: 'CONFIG_MAP' } as const;
    assert.deepEqual(await clusterUser(parts, byMap, user), found, 'the entry of its creator');
  });

  test('a session is named by its role and its own name', async () => {
    await makeEntry(session.roleArn);
    const found = await clusterUser(parts, cluster, session);
    assert.equal(found!.username, `arn:aws:sts::${account}:assumed-role/ops/ann-example.com`);
    assert.deepEqual(found!.extra!['canonicalArn'], [session.roleArn]);
  });

  test('the config map names those without an entry, roles with or without their path', async () => {
    const map = readAuthMap({
      data: {
        mapRoles: `- rolearn: arn:aws:iam::${account}:role/other\n  username: other:{{SessionName}}\n  groups: [system:masters]\n`,
        mapUsers: 'this: is no list',
        mapAccounts: '["111111111111"]',
      },
    });
    const other = { ...session, roleArn: `arn:aws:iam::${account}:role/team/other` as Arn };
    const found = await clusterUser({ ...parts, authMap: async () => map }, cluster, other);
    assert.equal(found!.username, 'other:ann-example.com');
    assert.deepEqual(found!.groups, ['system:masters']);
    assert.equal(map.find({ ...user, arn: `${user.arn}2` as Arn }), undefined);
    assert.equal(map.find({ ...user, account: parseAccountId('111111111111') })!.username, user.arn);
    assert.equal(readAuthMap({ data: { mapUsers: '- [' } }).find(user), undefined);
  });

  test('a role of nodes is an instance or nobody', async () => {
    const node = { ...session, roleArn: `arn:aws:iam::${account}:role/node` as Arn, sessionName: 'i-0abc' };
    await makeEntry(node.roleArn, { type: 'EC2_LINUX' });
    assert.equal(await clusterUser(parts, cluster, node), undefined);
    const instanceName = async (id: string) => (id === 'i-0abc' ? 'ip-172-31-0-7.ec2.internal' : undefined);
    const found = await clusterUser({ ...parts, instanceName }, cluster, node);
    assert.equal(found!.username, 'system:node:ip-172-31-0-7.ec2.internal');
    assert.deepEqual(found!.groups, ['system:nodes']);
  });

  test('access policies give what they say, where they say it', async () => {
    const arn = `arn:aws:iam::${account}:role/viewer`;
    const policy = (name: string, scope: AccessEntryRecord['policies'][number]['scope']) => ({
      policyArn: `arn:aws:eks::aws:cluster-access-policy/${name}`,
      scope,
      associatedAt: 0,
      modifiedAt: 0,
    });
    await makeEntry(arn, {
      policies: [policy('AmazonEKSViewPolicy', { type: 'namespace', namespaces: ['a', 'team-*'] })],
    });
    const admin = `arn:aws:iam::${account}:role/admin`;
    await makeEntry(admin, { policies: [policy('AmazonEKSClusterAdminPolicy', { type: 'cluster', namespaces: [] })] });
    const authorizer = accessAuthorizer(state, cluster);
    const may = async (asked: Attributes) => (await authorizer.authorize(asked)).isAllowed;
    assert.ok(await may(attributes({}, arn)));
    assert.ok(await may(attributes({ namespace: 'team-x' }, arn)));
    assert.ok(!(await may(attributes({ namespace: 'b' }, arn))));
    assert.ok(!(await may(attributes({ resource: 'secrets' }, arn))));
    assert.ok(!(await may(attributes({ verb: 'delete' }, arn))));
    assert.ok(await may(attributes({ verb: '*', group: '*', resource: '*' }, admin)));
    const path: Attributes = { kind: 'path', verb: 'get', path: '/metrics', user: attributes({}, admin).user };
    assert.ok(await may(path));
    assert.ok(!(await may({ ...path, user: attributes({}, arn).user })));
  });
});
