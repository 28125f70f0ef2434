import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ManualClock, type AccountId, type Arn } from '#base';
import type { ConditionContext } from '../../service.ts';
import type { AccessQuestion } from '../ports.ts';
import type { Principal } from '../principal.ts';
import { createAuthorizer } from './authorizer.ts';
import { parsePolicy, PolicyFault } from './document.ts';

const account = '111122223333' as AccountId;
const alice: Principal = {
  kind: 'user',
  account,
  arn: 'arn:aws:iam::111122223333:user/alice' as Arn,
  principalId: 'AIDAALICE',
  accessKeyId: 'AKIAALICE',
  userName: 'alice',
};
const session: Principal = {
  kind: 'assumed-role',
  account,
  arn: 'arn:aws:sts::111122223333:assumed-role/ops/job' as Arn,
  principalId: 'AROAOPS:job',
  accessKeyId: 'ASIAOPS',
  roleArn: 'arn:aws:iam::111122223333:role/ops' as Arn,
  roleName: 'ops',
  sessionName: 'job',
  sessionPolicies: [],
  issuedAt: Date.UTC(2026, 0, 1),
  expiresAt: Date.UTC(2026, 0, 2),
};

type Statement = { readonly [field: string]: unknown };

function document(...statements: readonly Statement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

const allow = (more: Statement = {}): Statement => ({ Effect: 'Allow', Action: '*', Resource: '*', ...more });
const deny = (more: Statement = {}): Statement => ({ ...allow(more), Effect: 'Deny' });

interface Setting {
  readonly policies: readonly string[];
  readonly boundary?: string;
  readonly question?: Partial<AccessQuestion>;
}

async function decide({ policies, boundary, question = {} }: Setting) {
  const authorizer = createAuthorizer({
    policies: { policiesOf: () => ({ identity: policies, boundary, tags: { team: 'red' } }) },
    clock: new ManualClock(),
  });
  return authorizer.decide({
    principal: alice,
    action: 'ecs:DeleteCluster',
    resource: 'arn:aws:ecs:us-east-1:111122223333:cluster/team-a',
    context: {},
    account,
    ...question,
  });
}

async function decision(setting: Setting): Promise<string> {
  return (await decide(setting)).decision;
}

suite('policies', () => {
  test('deny by default, allow, and an explicit deny that wins', async () => {
    assert.equal(await decision({ policies: [] }), 'implicitDeny');
    assert.equal(await decision({ policies: [document(allow())] }), 'allowed');
    assert.equal(await decision({ policies: [document(allow()), document(deny())] }), 'explicitDeny');
  });

  const cases: readonly [name: string, statement: Statement, isAllowed: boolean][] = [
    ['an action with a wildcard', { Action: 'ecs:Delete*' }, true],
    ['an action in another case', { Action: 'ECS:deletecluster' }, true],
    ['a question mark', { Action: 'ecs:Delete?luster' }, true],
    ['another action', { Action: 'ecs:Describe*' }, false],
    ['NotAction of another', { Action: undefined, NotAction: 'iam:*' }, true],
    ['NotAction of this', { Action: undefined, NotAction: ['ecs:*', 'iam:*'] }, false],
    ['a resource with a wildcard', { Resource: 'arn:aws:ecs:*:111122223333:cluster/team-*' }, true],
    ['another resource', { Resource: 'arn:aws:ecs:*:111122223333:cluster/prod' }, false],
    ['a resource in another case', { Resource: 'arn:aws:ecs:*:111122223333:cluster/TEAM-A' }, false],
    ['NotResource of another', { Resource: undefined, NotResource: 'arn:aws:ecs:*:*:cluster/prod' }, true],
    ['NotResource of this', { Resource: undefined, NotResource: 'arn:aws:ecs:*:*:cluster/team-a' }, false],
    ['a variable', { Resource: 'arn:aws:ecs:*:*:cluster/${aws:PrincipalTag/team}*' }, false],
    ['a variable that fits', { Resource: 'arn:aws:ecs:*:${aws:PrincipalAccount}:cluster/*' }, true],
    ['an unknown variable', { Resource: 'arn:aws:ecs:*:*:cluster/${aws:Nothing}*' }, false],
    ["a variable's default", { Resource: "arn:aws:ecs:*:*:cluster/${aws:Nothing, 'team-a'}" }, true],
  ];
  for (const [name, statement, isAllowed] of cases)
    test(name, async () => {
      assert.equal(await decision({ policies: [document(allow(statement))] }), isAllowed ? 'allowed' : 'implicitDeny');
    });

  test('before version 2012-10-17 a variable is plain text', async () => {
    const text = JSON.stringify({ Statement: allow({ Resource: 'arn:aws:ecs:*:${aws:PrincipalAccount}:*' }) });
    assert.equal(await decision({ policies: [text] }), 'implicitDeny');
  });

  test('what a variable brings in is no pattern', async () => {
    const policies = [document(allow({ Resource: 'arn:aws:ecs:*:*:cluster/${aws:RequestTag/name}' }))];
    for (const name of ['*', 'team-?', '\ue000', 'team-\ue001'])
      assert.equal(
        await decision({ policies, question: { context: { 'aws:RequestTag/name': name } } }),
        'implicitDeny',
      );
    assert.equal(await decision({ policies, question: { context: { 'aws:RequestTag/name': 'team-a' } } }), 'allowed');
  });

  test('a pattern full of stars is matched in good time', async () => {
    const policies = [document(allow({ Resource: `arn:${'*a'.repeat(200)}b` }))];
    assert.equal(await decision({ policies, question: { resource: `arn:${'a'.repeat(5000)}` } }), 'implicitDeny');
  });
});

suite('conditions', () => {
  const context: ConditionContext = {
    'aws:SourceIp': '203.0.113.7',
    'ecs:cluster': 'arn:aws:ecs:us-east-1:111122223333:cluster/team-a',
    'aws:RequestTag/team': 'Red',
    'aws:TagKeys': ['team', 'cost'],
    'ecs:count': 5,
    'aws:SecureTransport': false,
  };
  const cases: readonly [condition: Statement, isAllowed: boolean][] = [
    [{ StringEquals: { 'aws:RequestTag/team': ['Blue', 'Red'] } }, true],
    [{ StringEquals: { 'AWS:requesttag/TEAM': 'Red' } }, true],
    [{ StringEquals: { 'aws:RequestTag/team': 'red' } }, false],
    [{ StringEqualsIgnoreCase: { 'aws:RequestTag/team': 'red' } }, true],
    [{ StringNotEquals: { 'aws:RequestTag/team': ['Blue', 'Red'] } }, false],
    [{ StringNotEquals: { 'aws:RequestTag/team': 'Blue' } }, true],
    [{ StringNotEqualsIgnoreCase: { 'aws:RequestTag/team': 'RED' } }, false],
    [{ StringLike: { 'aws:RequestTag/team': 'R?d*' } }, true],
    [{ StringNotLike: { 'aws:RequestTag/team': 'R*' } }, false],
    [{ StringEquals: { 'aws:RequestTag/team': 'R*' } }, false],
    [{ StringEquals: { 'aws:RequestTag/missing': 'x' } }, false],
    [{ StringNotEquals: { 'aws:RequestTag/missing': 'x' } }, true],
    [{ StringEqualsIfExists: { 'aws:RequestTag/missing': 'x' } }, true],
    [{ StringEqualsIfExists: { 'aws:RequestTag/team': 'x' } }, false],
    [{ Null: { 'aws:RequestTag/missing': 'true' } }, true],
    [{ Null: { 'aws:RequestTag/team': true } }, false],
    [{ Null: { 'aws:RequestTag/team': false } }, true],
    [{ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team', 'cost', 'owner'] } }, true],
    [{ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] } }, false],
    [{ 'ForAllValues:StringEquals': { 'aws:Missing': ['team'] } }, true],
    [{ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['cost'] } }, true],
    [{ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['owner'] } }, false],
    [{ 'ForAnyValue:StringEquals': { 'aws:Missing': ['team'] } }, false],
    [{ 'ForAnyValue:StringLike': { 'aws:TagKeys': 'c*' } }, true],
    [{ NumericEquals: { 'ecs:count': '5' } }, true],
    [{ NumericNotEquals: { 'ecs:count': 5 } }, false],
    [{ NumericLessThan: { 'ecs:count': 5 } }, false],
    [{ NumericLessThanEquals: { 'ecs:count': 5 } }, true],
    [{ NumericGreaterThan: { 'ecs:count': 4.5 } }, true],
    [{ NumericGreaterThanEquals: { 'ecs:count': 6 } }, false],
    [{ DateLessThan: { 'aws:CurrentTime': '2099-01-01T00:00:00Z' } }, true],
    [{ DateGreaterThan: { 'aws:CurrentTime': '2099-01-01T00:00:00Z' } }, false],
    [{ DateGreaterThan: { 'aws:EpochTime': '1000000000' } }, true],
    [{ Bool: { 'aws:SecureTransport': 'false' } }, true],
    [{ Bool: { 'aws:SecureTransport': 'true' } }, false],
    [{ IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }, true],
    [{ IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '203.0.113.7'] } }, true],
    [{ NotIpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }, false],
    [{ IpAddress: { 'aws:SourceIp': '2001:db8::/32' } }, false],
    [{ ArnEquals: { 'ecs:cluster': 'arn:aws:ecs:*:111122223333:cluster/team-*' } }, true],
    [{ ArnLike: { 'ecs:cluster': 'arn:aws:ecs:*:cluster/team-a' } }, false],
    [{ ArnNotLike: { 'ecs:cluster': 'arn:aws:ecs:us-east-1:*:cluster/prod' } }, true],
    [{ ArnLike: { 'ecs:cluster': 'arn:aws:ecs:*:${aws:PrincipalAccount}:cluster/team-a' } }, true],
    [{ StringEquals: { 'aws:username': 'alice' }, IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, false],
    [{ StringEquals: { 'aws:PrincipalTag/team': 'red', 'aws:PrincipalAccount': account } }, true],
  ];
  for (const [condition, isAllowed] of cases)
    test(`${JSON.stringify(condition)} is ${isAllowed}`, async () => {
      const got = await decision({ policies: [document(allow({ Condition: condition }))], question: { context } });
      assert.equal(got, isAllowed ? 'allowed' : 'implicitDeny');
    });
});

suite('limits, trust and accounts', () => {
  const everything = [document(allow())];

  test('a boundary and a session policy must allow as well', async () => {
    const narrow = document(allow({ Action: 'ecs:List*' }));
    assert.equal(await decision({ policies: everything, boundary: narrow }), 'implicitDeny');
    const limited: Principal = { ...session, sessionPolicies: [narrow] };
    assert.equal(await decision({ policies: everything, question: { principal: limited } }), 'implicitDeny');
    assert.equal(
      await decision({ policies: everything, question: { principal: limited, action: 'ecs:ListTasks' } }),
      'allowed',
    );
    assert.equal(
      await decision({ policies: [], question: { principal: limited, action: 'ecs:ListTasks' } }),
      'implicitDeny',
    );
  });

  const other = '999988887777' as AccountId;
  const role = { action: 'sts:AssumeRole', resource: 'arn:aws:iam::111122223333:role/ops' };
  const trust = (principal: unknown) => ({
    document: document({ Effect: 'Allow', Principal: principal, Action: 'sts:AssumeRole' }),
    isTrust: true,
  });

  test('a trust policy that names the caller is enough; one that names its account leaves it to the identity', async () => {
    const asked = (principal: unknown) => ({ ...role, resourcePolicy: trust(principal) });
    assert.equal(await decision({ policies: [], question: asked({ AWS: alice.arn }) }), 'allowed');
    assert.equal(await decision({ policies: [], question: asked({ AWS: account }) }), 'implicitDeny');
    assert.equal(
      await decision({ policies: everything, question: asked({ AWS: `arn:aws:iam::${account}:root` }) }),
      'allowed',
    );
    assert.equal(await decision({ policies: everything, question: asked({ AWS: other }) }), 'implicitDeny');
    assert.equal(
      await decision({ policies: everything, question: asked({ Service: 'ecs-tasks.amazonaws.com' }) }),
      'implicitDeny',
    );
  });

  test('into another account both sides must allow', async () => {
    const asked = { ...role, account: other, resourcePolicy: trust({ AWS: alice.arn }) };
    assert.equal(await decision({ policies: [], question: asked }), 'implicitDeny');
    assert.equal(await decision({ policies: everything, question: asked }), 'allowed');
  });

  test('a session stays within its policies although the resource names its role', async () => {
    const limited: Principal = { ...session, sessionPolicies: [document(allow({ Action: 'ecs:*' }))] };
    const asked = { ...role, principal: limited, resourcePolicy: trust({ AWS: session.roleArn }) };
    assert.equal(await decision({ policies: [], question: asked }), 'implicitDeny');
  });

  test('a service is trusted by its name', async () => {
    const principal: Principal = { kind: 'service', account, service: 'ecs-tasks.amazonaws.com', arn: '' as Arn };
    const asked = (service: string) => ({ ...role, principal, resourcePolicy: trust({ Service: service }) });
    assert.equal(await decision({ policies: [], question: asked('ecs-tasks.amazonaws.com') }), 'allowed');
    assert.equal(await decision({ policies: [], question: asked('ec2.amazonaws.com') }), 'implicitDeny');
  });

  test('refusals are in the words of AWS', async () => {
    const who =
      'User: arn:aws:iam::111122223333:user/alice is not authorized to perform: ecs:ListClusters on resource: *';
    const question = { action: 'ecs:ListClusters', resource: '*' };
    const reason = async (setting: Setting) => (await decide({ ...setting, question })).reason;
    assert.equal(
      await reason({ policies: [] }),
      `${who} because no identity-based policy allows the ecs:ListClusters action`,
    );
    assert.equal(
      await reason({ policies: [document(deny())] }),
      `${who} with an explicit deny in an identity-based policy`,
    );
    assert.equal(
      await reason({ policies: everything, boundary: document(allow({ Action: 'iam:*' })) }),
      `${who} because no permissions boundary allows the ecs:ListClusters action`,
    );
  });
});

suite('the grammar', () => {
  const bad: readonly [what: string, text: string][] = [
    ['no JSON', '{'],
    ['a list', '[]'],
    ['another version', JSON.stringify({ Version: '2020-01-01', Statement: allow() })],
    ['no statement', JSON.stringify({ Version: '2012-10-17' })],
    ['an unknown effect', document(allow({ Effect: 'Maybe' }))],
    ['no action', document(allow({ Action: undefined }))],
    ['an action without a service', document(allow({ Action: 'ListClusters' }))],
    ['no resource', document(allow({ Resource: undefined }))],
    ['a resource that is no ARN', document(allow({ Resource: 'cluster/a' }))],
    ['a principal', document(allow({ Principal: '*' }))],
    ['an unknown field', document(allow({ Actions: 'x' }))],
    ['both actions', document(allow({ NotAction: 'ecs:*' }))],
  ];
  for (const [what, text] of bad)
    test(`refuses ${what}`, () => assert.throws(() => parsePolicy(text, 'identity'), PolicyFault));

  test('a trust policy needs a principal and has no resource', () => {
    assert.throws(() => parsePolicy(document({ Effect: 'Allow', Action: 'sts:AssumeRole' }), 'trust'), PolicyFault);
    assert.throws(() => parsePolicy(document(allow({ Principal: '*' })), 'trust'), PolicyFault);
  });
});
