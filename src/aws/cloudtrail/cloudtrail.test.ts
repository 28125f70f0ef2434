import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { silentLogger, systemClock, systemRandom, type AccountId, type Arn } from '#base';
import type { FinishedCall } from '../edge/index.ts';
import { defineService, type CallContext } from '../service.ts';
import { modelOf } from '../wire/index.ts';
import { createCloudTrail, type CloudTrail } from './service.ts';

const account = '111122223333' as AccountId;
const region = 'us-east-1';
const principal = {
  kind: 'root',
  account,
  arn: `arn:aws:iam::${account}:root` as Arn,
  principalId: account,
  accessKeyId: 'KEY',
} as const;
const model = modelOf(await import('@aws-sdk/client-iam'));
const definition = defineService<typeof import('@aws-sdk/client-iam')>({
  name: 'iam',
  signingNames: ['iam'],
  eventSource: 'iam.amazonaws.com',
  loadSdk: () => import('@aws-sdk/client-iam'),
  dataOperations: ['GetGroup'],
  handlers: {},
});

function finished(
  operation: string,
  more: Partial<FinishedCall> & { readonly at?: number; readonly input?: object; readonly owner?: AccountId } = {},
): FinishedCall {
  const { at = systemClock.now(), input = {}, owner = account, ...rest } = more;
  return {
    call: {
      requestId: 'request',
      startedAt: at,
      sourceIp: '127.0.0.1',
      userAgent: 'test',
      endpoint: 'http://localhost',
      isSecure: false,
      http: { method: 'POST', path: '/', query: '', headers: {}, body: Buffer.alloc(0) },
      service: { definition, model },
      wireCall: { operation: model.operations.get(operation)!, read: () => ({}) },
      principal: { ...principal, account: owner },
      input: { ...input },
      resources: [`arn:aws:iam::${owner}:user/seen`],
    },
    output: {},
    error: undefined,
    endedAt: at,
    ...rest,
  };
}

function open(t: TestContext): { readonly trail: CloudTrail; readonly directory: string } {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-trail-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return { trail: reopen(directory), directory };
}

function reopen(directory: string): CloudTrail {
  return createCloudTrail({ directory, clock: systemClock, random: systemRandom, logger: silentLogger });
}

type Input = Parameters<CloudTrailClient['send']>[0]['input'];
interface Events {
  readonly Events: readonly {
    readonly EventName: string;
    readonly CloudTrailEvent: string;
    readonly Username?: string;
  }[];
  readonly NextToken?: string;
}

async function lookup(trail: CloudTrail, input: Input = {}, owner = account): Promise<Events> {
  const handler = trail.definition.handlers['LookupEvents'] as (
    input: Input,
    context: Partial<CallContext>,
  ) => Promise<Events>;
  return handler(input, { account: owner, region, now: systemClock.now() });
}

test('events are found by their attributes, newest first, page by page', async (t) => {
  const { trail } = open(t);
  for (const name of ['CreateUser', 'ListUsers', 'GetGroup', 'DeleteUser']) trail.observe(finished(name));
  const names = async (input: Input) => (await lookup(trail, input)).Events.map(({ EventName }) => EventName);
  assert.deepEqual(await names({}), ['DeleteUser', 'ListUsers', 'CreateUser']);
  assert.deepEqual(await names({ LookupAttributes: [{ AttributeKey: 'ReadOnly', AttributeValue: 'true' }] }), [
    'ListUsers',
  ]);
  assert.deepEqual(await names({ LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateUser' }] }), [
    'CreateUser',
  ]);
  assert.equal(
    (await names({ LookupAttributes: [{ AttributeKey: 'ResourceName', AttributeValue: 'seen' }] })).length,
    3,
  );
  assert.equal((await names({ LookupAttributes: [{ AttributeKey: 'Username', AttributeValue: 'root' }] })).length, 3);
  assert.deepEqual(await names({ StartTime: new Date(systemClock.now() + 60_000) }), []);
  const first = await lookup(trail, { MaxResults: 2 });
  trail.observe(finished('TagUser'));
  const second = await lookup(trail, { MaxResults: 2, NextToken: first.NextToken });
  assert.deepEqual(
    [...first.Events, ...second.Events].map(({ EventName }) => EventName),
    ['DeleteUser', 'ListUsers', 'CreateUser'],
  );
  await trail.close();
});

test('a record says who did what, and hides secrets', async (t) => {
  const { trail } = open(t);
  const output = { AccessKey: { AccessKeyId: 'AKIA', SecretAccessKey: 'hush', UserName: 'seen' } };
  trail.observe(finished('CreateAccessKey', { input: { UserName: 'seen' }, output }));
  trail.observe(
    finished('DeleteUser', { error: { code: 'NoSuchEntity', message: 'gone', status: 404 }, output: undefined }),
  );
  const [failed, created] = (await lookup(trail)).Events.map(
    ({ CloudTrailEvent }) => JSON.parse(CloudTrailEvent) as { [field: string]: unknown },
  );
  assert.deepEqual(created?.['requestParameters'], { userName: 'seen' });
  assert.deepEqual(created?.['responseElements'], {
    accessKey: { accessKeyId: 'AKIA', secretAccessKey: 'HIDDEN_DUE_TO_SECURITY_REASONS', userName: 'seen' },
  });
  assert.deepEqual(
    [failed?.['errorCode'], failed?.['errorMessage'], failed?.['responseElements']],
    ['NoSuchEntity', 'gone', null],
  );
  assert.equal((created?.['userIdentity'] as { type: string } | undefined)?.type, 'Root');
  await trail.close();
});

test('the trail goes on after a restart, past a line that was cut short', async (t) => {
  const { trail, directory } = open(t);
  trail.observe(finished('CreateUser'));
  await trail.close();
  const [file = ''] = readdirSync(directory);
  appendFileSync(join(directory, file), '{"eventVersion":"1.');
  const again = reopen(directory);
  again.observe(finished('DeleteUser'));
  assert.deepEqual(
    (await lookup(again)).Events.map(({ EventName }) => EventName),
    ['DeleteUser', 'CreateUser'],
  );
  await again.close();
});

test('accounts see their own events, and one can be forgotten', async (t) => {
  const other = '999988887777' as AccountId;
  const { trail, directory } = open(t);
  trail.observe(finished('CreateUser'));
  trail.observe(finished('DeleteUser', { owner: other }));
  assert.equal((await lookup(trail)).Events.length, 1);
  await trail.forget(account);
  assert.equal((await lookup(trail)).Events.length, 0);
  assert.equal((await lookup(trail, {}, other)).Events.length, 1);
  await trail.forget(undefined);
  assert.deepEqual(readdirSync(directory), []);
  trail.observe(finished('CreateUser'));
  await trail.close();
  assert.match(readFileSync(join(directory, readdirSync(directory)[0]!), 'utf8'), /CreateUser/);
});
