import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { DabbaError, silentLogger } from '#base';
import { podIdentityServer, type PodIdentityParts } from './pod-identity.ts';

const session = {
  accessKeyId: 'ASIA',
  secretAccessKey: 's',
  sessionToken: 't',
  expiresAt: Date.UTC(2026, 0, 1),
  roleArn: 'arn:aws:iam::000000000000:role/pod',
};

async function ask(credentials: PodIdentityParts['credentials'], path = '/v1/credentials', token = 'token') {
  await using server = podIdentityServer({ credentials, logger: silentLogger })({ vpcId: 'vpc-1' });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
    headers: { connection: 'close', authorization: token },
  });
  return { status: answer.status, body: await answer.json() };
}

describe('the pod identity agent', () => {
  test('asks for whoever is at the address, with the token that is shown', async () => {
    const asked: object[] = [];
    const { status, body } = await ask(async (asking) => {
      asked.push(asking);
      return session;
    });
    assert.equal(status, 200);
    assert.partialDeepStrictEqual(body, {
      AccessKeyId: 'ASIA',
      AccountId: '000000000000',
      Expiration: '2026-01-01T00:00:00Z',
    });
    assert.deepEqual(asked, [{ vpcId: 'vpc-1', address: '127.0.0.1', token: 'token' }]);
    const unasked = async () => await Promise.reject(new Error('nobody is asked'));
    assert.equal((await ask(unasked, '/v1/other')).status, 404);
    assert.equal((await ask(unasked, '/v1/credentials', '')).status, 400);
    assert.equal((await ask(unasked, '/v1/credentials', 'x'.repeat(8001))).status, 400);
  });

  test('tells a refusal as one, and everything else as a fault of its own, which is worth another try', async () => {
    const statusOf = async (failure: Error) => (await ask(async () => await Promise.reject(failure))).status;
    assert.equal(await statusOf(new DabbaError('NotFound', 'no association')), 404);
    assert.equal(await statusOf(new DabbaError('PermissionDenied', 'not the token of this pod')), 403);
    for (const kind of ['Unavailable', 'Cancelled', 'Internal'] as const)
      assert.equal(await statusOf(new DabbaError(kind, 'no answer')), 500, kind);
    assert.equal(await statusOf(new Error('a broken assumption')), 500);
  });
});
