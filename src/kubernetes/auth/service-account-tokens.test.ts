import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { test } from 'node:test';
import { ManualClock, systemRandom } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { KubernetesObject, ObjectName, ResourceType } from '../object.ts';
import { notFound } from '../status.ts';
import { createAuthentication } from './authenticate.ts';
import { createServiceAccountTokens, type Verdict } from './service-account-tokens.ts';
import { requestToken } from './token-request.ts';
import type { TokenAuthenticator } from './user.ts';

const signal = new AbortController().signal;

function setUp(kind: 'ec' | 'rsa' = 'ec') {
  const objects = new Map<string, KubernetesObject & { readonly spec?: object }>([
    ['serviceaccounts/default/web', { metadata: { name: 'web', namespace: 'default', uid: 'sa-1' } }],
    [
      'pods/default/p',
      {
        metadata: { name: 'p', namespace: 'default', uid: 'pod-1' },
        spec: { serviceAccountName: 'web', nodeName: 'n1' },
      },
    ],
    ['pods/default/other', { metadata: { name: 'other', uid: 'pod-2' }, spec: { serviceAccountName: 'default' } }],
    ['nodes/n1', { metadata: { name: 'n1', uid: 'node-1' } }],
  ]);
  const client: Pick<ApiClient, 'get'> = {
    async get<T extends KubernetesObject>(type: ResourceType<T>, { namespace, name }: ObjectName): Promise<T> {
      const object = objects.get([type.resource, namespace, name].filter(Boolean).join('/'));
      if (!object) throw notFound(type, name);
      return object as T;
    },
  };
  const pair =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = {
    privateKeyPem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicKeyPem: pair.publicKey.export({ type: 'spki', format: 'pem' }),
  };
  const clock = new ManualClock();
  const tokens = createServiceAccountTokens({ key, issuer: 'https://issuer', client, clock, random: systemRandom });
  const request = (spec: object, name = 'web') =>
    requestToken({ client, tokens }, { namespace: 'default', name }, { spec } as never);
  const issue = async (spec: object) => (await request(spec)).status!.token;
  return { objects, clock, tokens, request, issue };
}

const podReference = { kind: 'Pod', apiVersion: 'v1', name: 'p' };

test('a token proves its service account, and names the pod and node it was issued for', async () => {
  for (const kind of ['ec', 'rsa'] as const) {
    const { tokens, request } = setUp(kind);
    const { status, spec } = await request({ boundObjectRef: podReference, expirationSeconds: 3607 });
    assert.equal(status!.expirationTimestamp, '2026-01-01T01:00:07Z');
    assert.deepEqual(spec.audiences, ['https://kubernetes.default.svc']);
    const verdict = await tokens.verify(status!.token, {});
    assert.ok(verdict.kind === 'user');
    assert.equal(verdict.user.username, 'system:serviceaccount:default:web');
    assert.equal(verdict.user.uid, 'sa-1');
    assert.deepEqual(verdict.user.groups, ['system:serviceaccounts', 'system:serviceaccounts:default']);
    const { 'authentication.kubernetes.io/credential-id': id, ...extra } = verdict.user.extra!;
    assert.match(id![0]!, /^JTI=[0-9a-f-]{36}$/);
    assert.deepEqual(extra, {
      'authentication.kubernetes.io/node-name': ['n1'],
      'authentication.kubernetes.io/node-uid': ['node-1'],
      'authentication.kubernetes.io/pod-name': ['p'],
      'authentication.kubernetes.io/pod-uid': ['pod-1'],
    });
  }
});

test('a token ends with its time, its audience, its account and its pod', async () => {
  const reasonOf = (verdict: Verdict) => (verdict.kind === 'refused' ? verdict.reason : verdict.kind);
  const { objects, clock, tokens, issue } = setUp();
  const token = await issue({ boundObjectRef: podReference });
  assert.equal(
    reasonOf(await tokens.verify(token, { audiences: ['vault'] })),
    'token audiences ["https://kubernetes.default.svc"] is invalid for the target audiences ["vault"]',
  );
  const pod = objects.get('pods/default/p')!;
  objects.set('pods/default/p', { ...pod, metadata: { ...pod.metadata, uid: 'pod-9' } });
  assert.equal(reasonOf(await tokens.verify(token, {})), 'service account token has been invalidated');
  const deletionTimestamp = new Date(clock.now()).toISOString();
  objects.set('pods/default/p', { ...pod, metadata: { ...pod.metadata, deletionTimestamp } });
  assert.equal((await tokens.verify(token, {})).kind, 'user', 'a pod may act while it ends');
  clock.advance(61_000);
  assert.equal(reasonOf(await tokens.verify(token, {})), 'service account token has been invalidated');
  objects.set('pods/default/p', pod);
  objects.set('serviceaccounts/default/web', { metadata: { name: 'web', uid: 'sa-2' } });
  assert.equal(reasonOf(await tokens.verify(token, {})), 'service account token has been invalidated');
  clock.advance(3_600_000);
  assert.equal(reasonOf(await tokens.verify(token, {})), 'service account token has expired');
});

test('a changed, foreign or unsigned token is nobody', async () => {
  const { tokens, issue } = setUp();
  const token = await issue({});
  const [header, claims, signature] = token.split('.') as [string, string, string];
  const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as object;
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const other = encode({ ...decode(claims), sub: 'system:serviceaccount:kube-system:admin' });
  assert.equal((await tokens.verify(`${header}.${other}.${signature}`, {})).kind, 'refused');
  assert.equal((await tokens.verify(`${encode({ alg: 'none' })}.${claims}.`, {})).kind, 'refused');
  assert.equal((await tokens.verify(`${header}.${encode({ iss: 'https://else' })}.${signature}`, {})).kind, 'unknown');
  for (const text of ['', 'x', 'a.b.c', '..', 'k8s-aws-v1.aHR0cHM6']) {
    assert.equal((await tokens.verify(text, {})).kind, 'unknown');
  }
  assert.equal((await setUp().tokens.verify(token, {})).kind, 'refused', 'of another key');
});

test('the published key verifies a token', async () => {
  const { tokens, issue } = setUp();
  const token = await issue({});
  const { keys } = tokens.keySet() as { keys: { kid: string; alg: string; use: string; kty: string }[] };
  const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string; alg: string };
  assert.deepEqual({ alg: header.alg, kid: header.kid }, { alg: keys[0]!.alg, kid: keys[0]!.kid });
  const end = token.lastIndexOf('.');
  assert.ok(
    verify(
      'sha256',
      Buffer.from(token.slice(0, end)),
      { key: createPublicKey({ key: keys[0]!, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
      Buffer.from(token.slice(end + 1), 'base64url'),
    ),
  );
  assert.deepEqual(tokens.configuration(), {
    issuer: 'https://issuer',
    jwks_uri: 'https://issuer/openid/v1/jwks',
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  });
});

test('requests that cannot be met are refused in the words of the API', async () => {
  const { request } = setUp();
  await assert.rejects(request({ expirationSeconds: 60 }), {
    reason: 'Invalid',
    message:
      'TokenRequest.authentication.k8s.io "web" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
  });
  await assert.rejects(request({}, 'absent'), { message: 'serviceaccounts "absent" not found' });
  await assert.rejects(request({ boundObjectRef: { ...podReference, name: 'absent' } }), { reason: 'NotFound' });
  await assert.rejects(request({ boundObjectRef: { ...podReference, name: 'other' } }), { reason: 'BadRequest' });
  await assert.rejects(request({ boundObjectRef: { ...podReference, uid: 'pod-9' } }), { reason: 'Conflict' });
});

test('authentication asks certificates, then tokens, and says nobody only without a credential', async () => {
  const { tokens, issue } = setUp();
  const iam: TokenAuthenticator = {
    name: 'iam',
    authenticate: async (token) =>
      token === 'known' ? { username: 'arn:aws:iam::1:user/u', groups: ['g'] } : undefined,
  };
  const authentication = createAuthentication({ serviceAccountTokens: tokens, tokenAuthenticators: [iam] });
  const groupsOf = async (authorization?: string) =>
    (await authentication.authenticate({ authorization }, signal)).groups;
  assert.deepEqual(await groupsOf(), ['system:unauthenticated']);
  assert.deepEqual(await groupsOf('Bearer known'), ['g', 'system:authenticated']);
  assert.deepEqual((await groupsOf(`bearer ${await issue({})}`)).at(-1), 'system:authenticated');
  await assert.rejects(groupsOf('Bearer wrong'), { code: 401, message: 'Unauthorized' });

  const review = async (spec: object) => (await authentication.reviewToken({ spec }, signal)).status;
  assert.deepEqual((await review({ token: 'known' }))?.user?.username, 'arn:aws:iam::1:user/u');
  assert.deepEqual(await review({ token: 'known', audiences: ['vault'] }), {
    user: {},
    error: '[invalid bearer token]',
  });
  assert.deepEqual(
    (await review({ token: await issue({ audiences: ['vault', 'x'] }), audiences: ['vault'] }))?.audiences,
    ['vault'],
  );
});
