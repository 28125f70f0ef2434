import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import * as sdk from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts';
import { startTestWorld, type TestWorld } from '../test-world.ts';

const ACCOUNT = '000000000000';

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

function policy(...statements: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

const allow = (Action: string, more: object = {}) => ({ Effect: 'Allow', Action, Resource: '*', ...more });
const trust = (Principal: object, Condition: object = {}) =>
  policy({ Effect: 'Allow', Principal, Action: 'sts:AssumeRole', Condition });

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'allowed';
  } catch (error) {
    return (error as Error).name;
  }
}

suite('IAM and STS', () => {
  let world: TestWorld;
  before(async () => {
    world = await startTestWorld();
  });
  after(async () => await world[Symbol.asyncDispose]());

  const root: Keys = { accessKeyId: 'test', secretAccessKey: 'test' };
  const config = (credentials: Keys) => ({
    endpoint: world.endpoint,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials,
  });
  const iam = (keys = root) => new sdk.IAMClient(config(keys));
  const sts = (keys = root) => new STSClient(config(keys));
  const arnOf = async (keys: Keys) => (await sts(keys).send(new GetCallerIdentityCommand({}))).Arn;

  async function createUser(UserName: string): Promise<Keys> {
    await iam().send(new sdk.CreateUserCommand({ UserName }));
    const { AccessKey } = await iam().send(new sdk.CreateAccessKeyCommand({ UserName }));
    return { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  }

  async function assume(keys: Keys, RoleArn: string, more: object = {}): Promise<Keys> {
    const { Credentials: made } = await sts(keys).send(
      new AssumeRoleCommand({ RoleArn, RoleSessionName: 'job', ...more }),
    );
    return {
      accessKeyId: made!.AccessKeyId!,
      secretAccessKey: made!.SecretAccessKey!,
      sessionToken: made!.SessionToken!,
    };
  }

  const listUsers = (keys: Keys) => codeOf(iam(keys).send(new sdk.ListUsersCommand({})));

  test("a user may what its own, its groups' and its managed policies say, from the next call on", async () => {
    const ann = await createUser('ann');
    assert.equal(await arnOf(ann), `arn:aws:iam::${ACCOUNT}:user/ann`);
    assert.equal(await listUsers(ann), 'AccessDenied');
    await iam().send(
      new sdk.PutUserPolicyCommand({
        UserName: 'ann',
        PolicyName: 'p',
        PolicyDocument: policy(allow('iam:ListUsers')),
      }),
    );
    assert.equal(await listUsers(ann), 'allowed');
    await iam().send(new sdk.DeleteUserPolicyCommand({ UserName: 'ann', PolicyName: 'p' }));
    assert.equal(await listUsers(ann), 'AccessDenied');
    await iam().send(new sdk.CreateGroupCommand({ GroupName: 'Dev' }));
    await iam().send(
      new sdk.AttachGroupPolicyCommand({ GroupName: 'dev', PolicyArn: 'arn:aws:iam::aws:policy/IAMReadOnlyAccess' }),
    );
    await iam().send(new sdk.AddUserToGroupCommand({ GroupName: 'dev', UserName: 'ann' }));
    assert.equal(await listUsers(ann), 'allowed');
    const { Users } = await iam(ann).send(new sdk.GetGroupCommand({ GroupName: 'Dev' }));
    assert.deepEqual(
      Users?.map(({ UserName }) => UserName),
      ['ann'],
    );
    assert.equal(await codeOf(iam(ann).send(new sdk.CreateUserCommand({ UserName: 'x' }))), 'AccessDenied');
  });

  test('a key that is inactive or deleted signs no more', async () => {
    const ben = await createUser('ben');
    const key = { UserName: 'ben', AccessKeyId: ben.accessKeyId };
    await iam().send(new sdk.UpdateAccessKeyCommand({ ...key, Status: 'Inactive' }));
    assert.equal(await codeOf(arnOf(ben)), 'InvalidClientTokenId');
    await iam().send(new sdk.UpdateAccessKeyCommand({ ...key, Status: 'Active' }));
    assert.equal(await codeOf(arnOf(ben)), 'allowed');
    await iam().send(new sdk.DeleteAccessKeyCommand(key));
    assert.equal(await codeOf(arnOf(ben)), 'InvalidClientTokenId');
  });

  test('a policy has versions, of which the default one counts', async () => {
    const cat = await createUser('cat');
    const { Policy } = await iam().send(
      new sdk.CreatePolicyCommand({ PolicyName: 'look', PolicyDocument: policy(allow('iam:ListUsers')) }),
    );
    const PolicyArn = Policy!.Arn!;
    await iam().send(new sdk.AttachUserPolicyCommand({ UserName: 'cat', PolicyArn }));
    assert.equal(await listUsers(cat), 'allowed');
    const second = { PolicyArn, PolicyDocument: policy(allow('iam:ListRoles')), SetAsDefault: true };
    await iam().send(new sdk.CreatePolicyVersionCommand(second));
    assert.equal(await listUsers(cat), 'AccessDenied');
    await iam().send(new sdk.SetDefaultPolicyVersionCommand({ PolicyArn, VersionId: 'v1' }));
    assert.equal(await listUsers(cat), 'allowed');
    for (let version = 3; version <= 5; version++)
      await iam().send(new sdk.CreatePolicyVersionCommand({ ...second, SetAsDefault: false }));
    assert.equal(await codeOf(iam().send(new sdk.CreatePolicyVersionCommand(second))), 'LimitExceededException');
    assert.equal(await codeOf(iam().send(new sdk.DeletePolicyCommand({ PolicyArn }))), 'DeleteConflictException');
    const found = await iam().send(new sdk.GetPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    assert.equal(decodeURIComponent(found.PolicyVersion!.Document!), second.PolicyDocument);
  });

  test('a role is assumed by whom it trusts, within its limits, and for its time', async () => {
    const dan = await createUser('dan');
    const RoleName = 'ops';
    const AssumeRolePolicyDocument = trust(
      { AWS: `arn:aws:iam::${ACCOUNT}:user/dan` },
      { StringEquals: { 'sts:ExternalId': 'x1' } },
    );
    const { Role } = await iam().send(new sdk.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
    await iam().send(
      new sdk.PutRolePolicyCommand({ RoleName, PolicyName: 'p', PolicyDocument: policy(allow('iam:List*')) }),
    );
    const arn = Role!.Arn!;
    assert.equal(await codeOf(assume(dan, arn)), 'AccessDenied');
    assert.equal(await codeOf(assume(dan, `${arn}-missing`, { ExternalId: 'x1' })), 'AccessDenied');
    const session = await assume(dan, arn, { ExternalId: 'x1', DurationSeconds: 900 });
    assert.equal(await arnOf(session), `arn:aws:sts::${ACCOUNT}:assumed-role/ops/job`);
    assert.equal(await listUsers(session), 'allowed');
    assert.equal(await codeOf(arnOf({ ...session, sessionToken: 'bogus' })), 'InvalidClientTokenId');
    const narrow = await assume(dan, arn, { ExternalId: 'x1', Policy: policy(allow('iam:ListRoles')) });
    assert.equal(await listUsers(narrow), 'AccessDenied');
    assert.equal(await codeOf(assume(dan, arn, { ExternalId: 'x1', DurationSeconds: 7200 })), 'ValidationError');
    assert.equal(await codeOf(sts(session).send(new GetSessionTokenCommand({}))), 'AccessDenied');
    await iam().send(new sdk.DeleteRolePolicyCommand({ RoleName, PolicyName: 'p' }));
    assert.equal(await listUsers(session), 'AccessDenied');
  });

  test('a session that has ended is told to have expired', async () => {
    await using later = await startTestWorld();
    const at = { ...config(root), endpoint: later.endpoint };
    const { Role } = await new sdk.IAMClient(at).send(
      new sdk.CreateRoleCommand({ RoleName: 'r', AssumeRolePolicyDocument: trust({ AWS: ACCOUNT }) }),
    );
    const { Credentials } = await new STSClient(at).send(
      new AssumeRoleCommand({ RoleArn: Role!.Arn!, RoleSessionName: 'job', DurationSeconds: 900 }),
    );
    later.clock.advance(899_000);
    assert.ok(await later.iam.identities.find(Credentials!.AccessKeyId!));
    later.clock.advance(1_000);
    assert.equal(await later.iam.identities.find(Credentials!.AccessKeyId!), undefined);
    assert.equal(later.iam.identities.hasExpired(Credentials!.AccessKeyId!), true);
  });

  test('a service gets a session of a role that trusts it', async () => {
    const AssumeRolePolicyDocument = trust({ Service: 'ecs-tasks.amazonaws.com' });
    const { Role } = await iam().send(
      new sdk.CreateRoleCommand({ RoleName: 'task', AssumeRolePolicyDocument, Path: '/app/' }),
    );
    const request = { roleArn: Role!.Arn!, sessionName: 'abc', durationMs: 3_600_000 };
    const { identities } = world.iam;
    const made = await identities.issueRoleSession({ ...request, service: 'ecs-tasks.amazonaws.com' });
    assert.equal(await arnOf(made), `arn:aws:sts::${ACCOUNT}:assumed-role/task/abc`);
    assert.equal(await codeOf(identities.issueRoleSession({ ...request, service: 'ec2.amazonaws.com' })), 'AwsError');
    assert.equal((await identities.describeRole(Role!.Arn!))?.name, 'task');
    assert.equal(await identities.describeRole(`arn:aws:iam::${ACCOUNT}:role/task`), undefined);
  });

  test('names are taken once, whatever their case, and things in use stay', async () => {
    await createUser('eve');
    assert.equal(
      await codeOf(iam().send(new sdk.CreateUserCommand({ UserName: 'EVE' }))),
      'EntityAlreadyExistsException',
    );
    assert.equal(await codeOf(iam().send(new sdk.DeleteUserCommand({ UserName: 'eve' }))), 'DeleteConflictException');
    assert.equal(await codeOf(iam().send(new sdk.GetUserCommand({ UserName: 'nobody' }))), 'NoSuchEntityException');
    assert.equal(await codeOf(iam().send(new sdk.CreateUserCommand({ UserName: 'a b' }))), 'ValidationError');
    const bad = { UserName: 'eve', PolicyName: 'p', PolicyDocument: '{"Statement":{"Effect":"Maybe"}}' };
    assert.equal(await codeOf(iam().send(new sdk.PutUserPolicyCommand(bad))), 'MalformedPolicyDocumentException');
    const unknown = {
      RoleName: 'odd',
      AssumeRolePolicyDocument: trust({ AWS: `arn:aws:iam::${ACCOUNT}:user/nobody` }),
    };
    assert.equal(await codeOf(iam().send(new sdk.CreateRoleCommand(unknown))), 'MalformedPolicyDocumentException');
  });

  test('accounts are apart', async () => {
    const other: Keys = { accessKeyId: '111122223333', secretAccessKey: 'test' };
    const { Policy } = await iam().send(
      new sdk.CreatePolicyCommand({ PolicyName: 'mine', PolicyDocument: policy(allow('*')) }),
    );
    assert.equal(
      await codeOf(iam(other).send(new sdk.GetPolicyCommand({ PolicyArn: Policy!.Arn! }))),
      'NoSuchEntityException',
    );
    assert.equal(
      await codeOf(iam(other).send(new sdk.DeletePolicyCommand({ PolicyArn: Policy!.Arn! }))),
      'NoSuchEntityException',
    );
    await iam(other).send(new sdk.CreateUserCommand({ UserName: 'ann' }));
    const attach = { UserName: 'ann', PolicyArn: Policy!.Arn! };
    assert.equal(await codeOf(iam(other).send(new sdk.AttachUserPolicyCommand(attach))), 'NoSuchEntityException');
    const { Users } = await iam(other).send(new sdk.ListUsersCommand({}));
    assert.deepEqual(
      Users?.map(({ Arn }) => Arn),
      ['arn:aws:iam::111122223333:user/ann'],
    );
  });

  test('lists come in pages', async () => {
    const paged: Keys = { accessKeyId: '222233334444', secretAccessKey: 'test' };
    for (const UserName of ['c', 'A', 'b']) await iam(paged).send(new sdk.CreateUserCommand({ UserName }));
    const names: (string | undefined)[] = [];
    for await (const { Users } of sdk.paginateListUsers({ client: iam(paged), pageSize: 2 }, {}))
      names.push(...(Users ?? []).map(({ UserName }) => UserName));
    assert.deepEqual(names, ['A', 'b', 'c']);
  });

  test('the simulator agrees with the real decision', async () => {
    await createUser('sim');
    const statements = [allow('ecs:*'), { ...allow('ecs:DeleteCluster'), Effect: 'Deny' }];
    await iam().send(
      new sdk.PutUserPolicyCommand({ UserName: 'sim', PolicyName: 'p', PolicyDocument: policy(...statements) }),
    );
    const { EvaluationResults } = await iam().send(
      new sdk.SimulatePrincipalPolicyCommand({
        PolicySourceArn: `arn:aws:iam::${ACCOUNT}:user/sim`,
        ActionNames: ['ecs:ListClusters', 'ecs:DeleteCluster', 'iam:ListUsers'],
      }),
    );
    assert.deepEqual(
      EvaluationResults?.map(({ EvalDecision }) => EvalDecision),
      ['allowed', 'explicitDeny', 'implicitDeny'],
    );
  });

  test('the policies that clusters and nodes are given are there', async () => {
    const RoleName = 'for-eks';
    const AssumeRolePolicyDocument = trust({ Service: 'eks.amazonaws.com' });
    await iam().send(new sdk.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
    for (const name of ['AmazonEKSClusterPolicy', 'AmazonEKSWorkerNodePolicy', 'AmazonEKS_CNI_Policy'])
      await iam().send(new sdk.AttachRolePolicyCommand({ RoleName, PolicyArn: `arn:aws:iam::aws:policy/${name}` }));
    const { AttachedPolicies } = await iam().send(new sdk.ListAttachedRolePoliciesCommand({ RoleName }));
    assert.equal(AttachedPolicies?.length, 3);
  });

  test('a service-linked role is its service’s alone', async () => {
    const create = new sdk.CreateServiceLinkedRoleCommand({ AWSServiceName: 'ecs.amazonaws.com' });
    const { Role } = await iam().send(create);
    assert.equal(Role?.Arn, `arn:aws:iam::${ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS`);
    assert.equal(await codeOf(iam().send(create)), 'InvalidInputException');
    const RoleName = 'AWSServiceRoleForECS';
    const [held] = (await iam().send(new sdk.ListAttachedRolePoliciesCommand({ RoleName }))).AttachedPolicies!;
    const { PolicyArn } = held!;
    assert.equal(PolicyArn, 'arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy');
    const protectedRole = 'UnmodifiableEntityException';
    assert.equal(await codeOf(iam().send(new sdk.DeleteRoleCommand({ RoleName }))), protectedRole);
    assert.equal(await codeOf(iam().send(new sdk.DetachRolePolicyCommand({ RoleName, PolicyArn }))), protectedRole);
    const longer = new sdk.UpdateRoleCommand({ RoleName, MaxSessionDuration: 7200 });
    assert.equal(await codeOf(iam().send(longer)), protectedRole);
    await iam().send(new sdk.UpdateRoleCommand({ RoleName, Description: 'x' }));
    await iam().send(new sdk.TagRoleCommand({ RoleName, Tags: [{ Key: 'team', Value: 'a' }] }));
    const own = (await iam().send(new sdk.GetRoleCommand({ RoleName }))).Role;
    assert.deepEqual([own?.Description, own?.Tags], ['x', [{ Key: 'team', Value: 'a' }]]);
    const attach = new sdk.AttachRolePolicyCommand({ RoleName: 'for-eks', PolicyArn });
    assert.equal(await codeOf(iam().send(attach)), 'PolicyNotAttachableException');
    const { DeletionTaskId } = await iam().send(new sdk.DeleteServiceLinkedRoleCommand({ RoleName }));
    const status = new sdk.GetServiceLinkedRoleDeletionStatusCommand({ DeletionTaskId });
    assert.equal((await iam().send(status)).Status, 'SUCCEEDED');
    const unknown = new sdk.CreateServiceLinkedRoleCommand({ AWSServiceName: 'lex.amazonaws.com' });
    assert.equal(await codeOf(iam().send(unknown)), 'UnsupportedOperation');
  });
});
