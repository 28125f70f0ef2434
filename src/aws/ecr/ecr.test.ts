import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { digestOf, ManualClock, parseAccountId, silentLogger, type AccountId, type Arn } from '#base';
import { memoryBlobStore } from '#blob';
import { createRegistry, createRegistryContent, repositoryKey } from '#registry';
import { memoryStore } from '#store';
import type { CreateRepositoryCommandInput } from '@aws-sdk/client-ecr';
import { createAuthorizer, type AccessKey, type Principal } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { createEcr, type EcrAuditEvent } from './index.ts';
import { PUBLISHER } from '../ecr-public/index.ts';

type Sdk = Required<Handlers<typeof import('@aws-sdk/client-ecr')>>;
/** Each operation that a test calls is there, and ours all answer with promises. */
type EcrHandlers = {
  readonly [Name in keyof Sdk]: (...call: Parameters<Sdk[Name]>) => Promise<Awaited<ReturnType<Sdk[Name]>>>;
};

const account = parseAccountId('000000000000');
const stranger = parseAccountId('111111111111');
const REGION = 'us-east-1';

const root = (of: AccountId): Principal => ({
  kind: 'root',
  account: of,
  arn: `arn:aws:iam::${of}:root` as Arn,
  principalId: of,
  accessKeyId: `KEY${of}`,
});
const user = (name: string): Extract<Principal, { readonly kind: 'user' }> => ({
  kind: 'user',
  account,
  arn: `arn:aws:iam::${account}:user/${name}` as Arn,
  principalId: `AIDA${name}`,
  accessKeyId: `KEY${name}`,
  userName: name,
});

/** ECR with its registry on a loopback port, under real policy evaluation. */
async function startEcr(policies: { readonly [userName: string]: object } = {}) {
  const clock = new ManualClock();
  const store = memoryStore({ clock });
  const blobs = memoryBlobStore();
  const content = createRegistryContent({ store, blobs, clock });
  const trail: EcrAuditEvent[] = [];
  const lostKeys = new Set<string>();
  const authorizer = createAuthorizer({
    clock,
    policies: {
      policiesOf: (principal) => ({
        identity:
          principal.kind === 'user' && policies[principal.userName]
            ? [JSON.stringify(policies[principal.userName])]
            : [],
        boundary: undefined,
        tags: {},
      }),
    },
  });
  const ecr = createEcr({
    store,
    content,
    authorizer,
    identities: {
      find: async (id): Promise<AccessKey | undefined> =>
        lostKeys.has(id) ? undefined : { secretAccessKey: '', principal: root(account) },
    },
    clock,
    logger: silentLogger,
    defaultAccount: account,
    audit: (event) => trail.push(event),
  });
  const registry = createRegistry({
    content,
    policy: ecr.policy,
    logger: silentLogger,
  });
  const server = createServer((request, response) => void registry.handle(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has one
  const endpoint = `http://127.0.0.1:${port}`;
  const as = (principal: Principal, region = REGION): CallContext => ({
    account: principal.kind === 'anonymous' ? account : principal.account,
    region,
    principal,
    requestId: 'r',
    sourceIp: '127.0.0.1',
    userAgent: 'test',
    now: clock.now(),
    endpoint,
    authorize: async () => undefined,
    remember: () => [],
  });
  return {
    clock,
    content,
    trail,
    lostKeys,
    ecr,
    as,
    endpoint,
    call: ecr.definition.handlers as unknown as EcrHandlers,
    /** A request to the registry, as `principal` if given. */
    async fetch(path: string, { principal, ...init }: RequestInit & { readonly principal?: Principal } = {}) {
      const headers = new Headers(init.headers);
      if (principal) {
        const { token } = await ecr.issueToken(principal);
        headers.set('authorization', `Basic ${Buffer.from(`AWS:${token}`).toString('base64')}`);
      }
      return await fetch(endpoint + path, { ...init, headers });
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

type Ecr = Awaited<ReturnType<typeof startEcr>>;

const ecrTest = (
  name: string,
  body: (ecr: Ecr) => Promise<void>,
  policies?: { readonly [userName: string]: object },
): void =>
  void test(`ecr: ${name}`, async () => {
    await using ecr = await startEcr(policies);
    await body(ecr);
  });

const fails = (code: string, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AwsError, String(error));
  assert.equal(error.code, code);
  if (message) assert.match(error.message, message);
  return true;
};

const me = root(account);
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const create = async ({ call, as }: Ecr, repositoryName: string, more: Partial<CreateRepositoryCommandInput> = {}) =>
  (await call.CreateRepository({ repositoryName, ...more }, as(me))).repository!;

function manifestOf(note: string): string {
  const descriptor = (bytes: string, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor('{}', 'application/vnd.oci.image.config.v1+json'),
    layers: [descriptor('layer', 'application/vnd.oci.image.layer.v1.tar')],
    annotations: { note },
  });
}

/** Pushes an image as docker does, over the distribution protocol. */
async function push(ecr: Ecr, name: string, tag: string, { principal = me, note = '' } = {}): Promise<Response> {
  for (const bytes of ['{}', 'layer']) {
    const path = `/v2/${name}/blobs/uploads/?digest=${digestOf(bytes)}`;
    const stored = await ecr.fetch(path, { principal, method: 'POST', body: bytes });
    if (stored.status !== 201) return stored;
  }
  const headers = { 'content-type': OCI_MANIFEST };
  return await ecr.fetch(`/v2/${name}/manifests/${tag}`, { principal, method: 'PUT', body: manifestOf(note), headers });
}

ecrTest('a repository is created, described, tagged and deleted', async (ecr) => {
  const { call, as } = ecr;
  const made = await create(ecr, 'team/app', { tags: [{ Key: 'a', Value: '1' }] });
  assert.equal(made.repositoryUri, '000000000000.dkr.ecr.us-east-1.amazonaws.com/team/app');
  assert.equal(made.repositoryArn, 'arn:aws:ecr:us-east-1:000000000000:repository/team/app');
  assert.equal(made.imageTagMutability, 'MUTABLE');
  await assert.rejects(
    create(ecr, 'team/app'),
    fails('RepositoryAlreadyExistsException', /'team\/app' already exists/),
  );
  await create(ecr, 'other');
  const names = async (input: object = {}) => {
    const { repositories, nextToken } = await call.DescribeRepositories(input, as(me));
    return { names: repositories!.map(({ repositoryName }) => repositoryName), nextToken };
  };
  assert.deepEqual((await names()).names, ['other', 'team/app']);
  const first = await names({ maxResults: 1 });
  assert.deepEqual([first.names, (await names({ nextToken: first.nextToken })).names], [['other'], ['team/app']]);
  assert.deepEqual((await names({ repositoryNames: ['team/app'] })).names, ['team/app']);
  await assert.rejects(
    names({ repositoryNames: ['nope'] }),
    fails('RepositoryNotFoundException', /'nope' does not exist/),
  );
  const resourceArn = made.repositoryArn;
  await call.TagResource({ resourceArn, tags: [{ Key: 'b', Value: '2' }] }, as(me));
  await call.UntagResource({ resourceArn, tagKeys: ['a'] }, as(me));
  assert.deepEqual(await call.ListTagsForResource({ resourceArn }, as(me)), { tags: [{ Key: 'b', Value: '2' }] });
  await call.DeleteRepository({ repositoryName: 'team/app' }, as(me));
  assert.deepEqual((await names()).names, ['other']);
});

ecrTest('repositories of a region and an account are its own', async (ecr) => {
  await create(ecr, 'app');
  const { repositories } = await ecr.call.DescribeRepositories({}, ecr.as(me, 'eu-west-1'));
  assert.deepEqual(repositories, []);
  const describe = ecr.call.DescribeRepositories(
    { registryId: account, repositoryNames: ['app'] },
    ecr.as(root(stranger)),
  );
  await assert.rejects(describe, fails('AccessDeniedException', /no resource-based policy allows/));
});

for (const bad of ['a', 'App', 'a//b', '/ab', 'a__-b', 'x'.repeat(257), '-ab', 'ab/'])
  ecrTest(`"${bad.slice(0, 20)}" cannot name a repository`, async (ecr) => {
    await assert.rejects(create(ecr, bad), fails('InvalidParameterException', /repositoryName/));
  });

ecrTest('an image pushed over the protocol is described, listed and fetched', async (ecr) => {
  const { call, as } = ecr;
  await create(ecr, 'team/app');
  assert.equal((await push(ecr, 'team/app', 'v1')).status, 201);
  await push(ecr, 'team/app', 'v2');
  await push(ecr, 'team/app', 'v2', { note: 'second' });
  const repositoryName = 'team/app';
  const [first, second] = [digestOf(manifestOf('')), digestOf(manifestOf('second'))];
  const { imageDetails } = await call.DescribeImages({ repositoryName, imageIds: [{ imageTag: 'v1' }] }, as(me));
  assert.deepEqual(imageDetails, [
    {
      registryId: account,
      repositoryName,
      imageDigest: first,
      imageTags: ['v1'],
      imageSizeInBytes: 7,
      imagePushedAt: new Date(ecr.clock.now()),
      imageManifestMediaType: OCI_MANIFEST,
      artifactMediaType: 'application/vnd.oci.image.config.v1+json',
      imageStatus: 'ACTIVE',
    },
  ]);
  const { imageIds } = await call.ListImages({ repositoryName }, as(me));
  assert.deepEqual(
    new Set(imageIds!.map(({ imageDigest, imageTag }) => `${imageTag} ${imageDigest}`)),
    new Set([`v1 ${first}`, `v2 ${second}`]),
  );
  const fetched = await call.BatchGetImage(
    { repositoryName, imageIds: [{ imageTag: 'v2' }, { imageTag: 'no' }] },
    as(me),
  );
  assert.equal(fetched.images![0]!.imageManifest, manifestOf('second'));
  assert.equal(fetched.failures![0]!.failureCode, 'ImageNotFound');
  const missing = call.DescribeImages({ repositoryName, imageIds: [{ imageTag: 'no' }] }, as(me));
  await assert.rejects(missing, fails('ImageNotFoundException', /imageTag:'no'/));
});

ecrTest('images are deleted by tag and by digest, but not from under an index', async (ecr) => {
  const { call, as } = ecr;
  const repositoryName = 'team/app';
  await create(ecr, repositoryName);
  await push(ecr, repositoryName, 'v1');
  await push(ecr, repositoryName, 'v2');
  const remove = async (...imageIds: { imageTag?: string; imageDigest?: string }[]) =>
    await call.BatchDeleteImage({ repositoryName, imageIds }, as(me));
  const imageDigest = digestOf(manifestOf(''));
  assert.deepEqual((await remove({ imageTag: 'v1' })).imageIds, [{ imageDigest, imageTag: 'v1' }]);
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType: OCI_MANIFEST, digest: imageDigest, size: manifestOf('').length }],
  });
  await call.PutImage({ repositoryName, imageManifest: index, imageTag: 'multi' }, as(me));
  assert.equal((await remove({ imageDigest })).failures![0]!.failureCode, 'ImageReferencedByManifestList');
  await remove({ imageTag: 'multi' });
  assert.deepEqual((await remove({ imageDigest })).imageIds, [{ imageDigest, imageTag: 'v2' }]);
  assert.deepEqual((await call.ListImages({ repositoryName }, as(me))).imageIds, []);
});

ecrTest('a repository with images is only deleted by force', async (ecr) => {
  await create(ecr, 'app');
  await push(ecr, 'app', 'v1');
  const remove = async (force: boolean) =>
    await ecr.call.DeleteRepository({ repositoryName: 'app', force }, ecr.as(me));
  await assert.rejects(remove(false), fails('RepositoryNotEmptyException', /still contains images/));
  await remove(true);
  await create(ecr, 'app');
  assert.deepEqual((await ecr.call.ListImages({ repositoryName: 'app' }, ecr.as(me))).imageIds, []);
});

ecrTest('immutable tags hold over both doors, except those excluded', async (ecr) => {
  const { call, as } = ecr;
  const repositoryName = 'app';
  await create(ecr, repositoryName, { imageTagMutability: 'IMMUTABLE' });
  await push(ecr, 'app', 'v1');
  assert.equal((await push(ecr, 'app', 'v1')).status, 201, 'the same image again');
  const moved = await push(ecr, 'app', 'v1', { note: 'else' });
  assert.equal(moved.status, 400);
  assert.deepEqual(await moved.json(), {
    errors: [
      {
        code: 'TAG_INVALID',
        message:
          "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.",
      },
    ],
  });
  const put = async (note: string) =>
    await call.PutImage({ repositoryName, imageManifest: manifestOf(note), imageTag: 'v1' }, as(me));
  await assert.rejects(put(''), fails('ImageAlreadyExistsException'));
  await assert.rejects(put('else'), fails('ImageTagAlreadyExistsException', /immutable/));
  await call.PutImageTagMutability(
    {
      repositoryName,
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
    },
    as(me),
  );
  for (const note of ['one', 'two']) assert.equal((await push(ecr, 'app', 'dev-x', { note })).status, 201);
  await assert.rejects(put('else'), fails('ImageTagAlreadyExistsException'));
  const wrong = call.PutImageTagMutability({ repositoryName, imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION' }, as(me));
  await assert.rejects(wrong, fails('InvalidParameterException'));
});

ecrTest('of many pushes at once to one immutable tag, one wins', async (ecr) => {
  await create(ecr, 'app', { imageTagMutability: 'IMMUTABLE' });
  await push(ecr, 'app', 'other');
  const pushes = Array.from(
    { length: 6 },
    async (_, note) => (await push(ecr, 'app', 'v1', { note: `${note}` })).status,
  );
  const answers = await Promise.all(pushes);
  assert.deepEqual(
    answers.toSorted((a, b) => a - b),
    [201, 400, 400, 400, 400, 400],
  );
});

ecrTest('an image is put together through the API alone', async (ecr) => {
  const { call, as } = ecr;
  const repositoryName = 'app';
  await create(ecr, repositoryName);
  const imageManifest = manifestOf('');
  await assert.rejects(call.PutImage({ repositoryName, imageManifest }, as(me)), fails('LayersNotFoundException'));
  const upload = async (bytes: string) => {
    const { uploadId } = await call.InitiateLayerUpload({ repositoryName }, as(me));
    const middle = Math.floor(bytes.length / 2);
    const part = async (from: number, to: number) =>
      await call.UploadLayerPart(
        {
          repositoryName,
          uploadId,
          partFirstByte: from,
          partLastByte: to - 1,
          layerPartBlob: Buffer.from(bytes.slice(from, to)),
        },
        as(me),
      );
    await part(0, middle);
    await assert.rejects(part(0, middle), fails('InvalidLayerPartException'));
    assert.equal((await part(middle, bytes.length)).lastByteReceived, bytes.length - 1);
    await call.CompleteLayerUpload({ repositoryName, uploadId, layerDigests: [digestOf(bytes)] }, as(me));
    const again = call.CompleteLayerUpload({ repositoryName, uploadId, layerDigests: [digestOf(bytes)] }, as(me));
    await assert.rejects(again, fails('UploadNotFoundException'));
  };
  await upload('{}');
  await upload('layer');
  const { image } = await call.PutImage({ repositoryName, imageManifest, imageTag: 'v1' }, as(me));
  assert.equal(image!.imageId!.imageDigest, digestOf(imageManifest));
  const layerDigests = [digestOf('layer'), digestOf('never'), 'nonsense'];
  const { layers, failures } = await call.BatchCheckLayerAvailability({ repositoryName, layerDigests }, as(me));
  assert.deepEqual(
    layers!.map(({ layerAvailability }) => layerAvailability),
    ['AVAILABLE', 'UNAVAILABLE'],
  );
  assert.equal(failures![0]!.failureCode, 'InvalidLayerDigest');
  const { downloadUrl } = await call.GetDownloadUrlForLayer({ repositoryName, layerDigest: layerDigests[0] }, as(me));
  assert.equal(await (await fetch(downloadUrl!)).text(), 'layer');
  const url = new URL(downloadUrl!);
  assert.equal((await fetch(`${ecr.endpoint}/v2/app/tags/list${url.search}`)).status, 401);
  ecr.clock.advance(61 * 60_000);
  assert.equal((await fetch(downloadUrl!)).status, 403);
});

ecrTest('a token opens the registry for twelve hours, and for nobody else', async (ecr) => {
  const { authorizationData } = await ecr.call.GetAuthorizationToken({}, ecr.as(me));
  const [{ authorizationToken, expiresAt, proxyEndpoint } = {}] = authorizationData!;
  assert.equal(proxyEndpoint, 'https://000000000000.dkr.ecr.us-east-1.amazonaws.com');
  assert.equal(expiresAt!.getTime(), ecr.clock.now() + 12 * 3600_000);
  const enter = async (token: string) =>
    (await fetch(`${ecr.endpoint}/v2/`, { headers: { authorization: `Basic ${token}` } })).status;
  assert.equal(await enter(authorizationToken!), 200);
  const password = Buffer.from(authorizationToken!, 'base64').toString('utf8');
  const forged = password.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  assert.equal(await enter(Buffer.from(forged).toString('base64')), 401);
  assert.equal(await enter(Buffer.from('AWS:test').toString('base64')), 401);
  const anonymous = await fetch(`${ecr.endpoint}/v2/`);
  assert.equal(anonymous.status, 401);
  assert.match(
    anonymous.headers.get('www-authenticate')!,
    /^Basic realm="https:\/\/127.*",service="ecr.amazonaws.com"$/,
  );
  ecr.lostKeys.add(`KEY${account}`);
  assert.equal(await enter(authorizationToken!), 401, 'the key was deleted');
  ecr.lostKeys.clear();
  ecr.clock.advance(12 * 3600_000);
  assert.equal(await enter(authorizationToken!), 403);
});

ecrTest('private means private: anonymous, strangers and the unpermitted get nothing', async (ecr) => {
  await create(ecr, 'app');
  await push(ecr, 'app', 'v1');
  const pull = async (principal?: Principal) =>
    (await ecr.fetch('/v2/app/manifests/v1', principal ? { principal } : {})).status;
  assert.deepEqual([await pull(), await pull(root(stranger)), await pull(me)], [401, 403, 200]);
  const denied = await ecr.fetch('/v2/app/manifests/v1', { principal: user('nobody') });
  const { errors } = (await denied.json()) as { errors: [{ code: string; message: string }] };
  assert.deepEqual(errors[0], {
    code: 'DENIED',
    message:
      'User: arn:aws:iam::000000000000:user/nobody is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/app because no identity-based policy allows the ecr:BatchGetImage action',
  });
  const absent = await ecr.fetch('/v2/absent/tags/list', { principal: me });
  assert.equal(absent.status, 404);
});

const reader = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'], Resource: '*' }],
};

ecrTest(
  'each operation of the protocol needs the permission that ECR has for it',
  async (ecr) => {
    await create(ecr, 'app');
    await push(ecr, 'app', 'v1');
    const principal = user('reader');
    assert.equal((await ecr.fetch('/v2/app/manifests/v1', { principal })).status, 200);
    assert.equal((await ecr.fetch(`/v2/app/blobs/${digestOf('layer')}`, { principal })).status, 200);
    assert.equal((await ecr.fetch('/v2/app/tags/list', { principal })).status, 403);
    assert.equal((await push(ecr, 'app', 'v2', { principal })).status, 403);
    const last = ecr.trail.at(-1)!;
    assert.deepEqual([last.eventName, last.errorCode, last.readOnly], ['InitiateLayerUpload', 'AccessDenied', false]);
    assert.equal(last.repositoryArn, 'arn:aws:ecr:us-east-1:000000000000:repository/app');
  },
  { reader },
);

ecrTest('a repository policy lets another account in, and can keep its own people out', async (ecr) => {
  const { call, as } = ecr;
  const repositoryName = 'app';
  await create(ecr, repositoryName);
  await push(ecr, 'app', 'v1');
  const pull = async (principal: Principal) => (await ecr.fetch('/v2/app/manifests/v1', { principal })).status;
  const setPolicy = async (statement: object) => {
    const policyText = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await call.SetRepositoryPolicy({ repositoryName, policyText }, as(me));
    assert.equal((await call.GetRepositoryPolicy({ repositoryName }, as(me))).policyText, policyText);
  };
  await setPolicy({ Effect: 'Allow', Principal: { AWS: stranger }, Action: 'ecr:BatchGetImage' });
  assert.deepEqual([await pull(root(stranger)), await pull(me), await pull(user('bob'))], [200, 200, 403]);
  await setPolicy({ Effect: 'Allow', Principal: { AWS: user('bob').arn }, Action: 'ecr:BatchGetImage' });
  assert.deepEqual([await pull(root(stranger)), await pull(user('bob'))], [403, 200]);
  await setPolicy({ Effect: 'Deny', Principal: '*', Action: 'ecr:BatchGetImage' });
  assert.equal(await pull(me), 403);
  await call.DeleteRepositoryPolicy({ repositoryName }, as(me));
  await assert.rejects(
    call.GetRepositoryPolicy({ repositoryName }, as(me)),
    fails('RepositoryPolicyNotFoundException'),
  );
  const bad = call.SetRepositoryPolicy({ repositoryName, policyText: '{"Statement":' }, as(me));
  await assert.rejects(bad, fails('InvalidParameterException', /Invalid repository policy/));
});

ecrTest('account and region stand in the path on loopback', async (ecr) => {
  await create(ecr, 'team/app');
  assert.equal((await push(ecr, '000000000000/us-east-1/team/app', 'v1')).status, 201);
  assert.equal((await ecr.fetch('/v2/team/app/manifests/v1', { principal: me })).status, 200);
  assert.equal((await ecr.fetch('/v2/000000000000/eu-west-1/team/app/manifests/v1', { principal: me })).status, 404);
});

ecrTest('an ECR host names account and region', async ({ ecr }) => {
  const { policy } = ecr;
  assert.deepEqual(policy.resolve('111111111111.dkr.ecr.eu-west-1.amazonaws.com:443', 'a/b'), {
    registry: '111111111111/eu-west-1',
    name: 'a/b',
  });
  assert.deepEqual(policy.resolve('public.ecr.aws', 'docker/library/busybox'), {
    registry: 'public',
    name: 'docker/library/busybox',
  });
  assert.equal(policy.resolve('registry.example.com', 'a'), undefined);
  assert.equal(policy.challenge('public.ecr.aws'), undefined);
});

ecrTest('the gallery is for everybody to pull from and for the daemon to publish in', async ({ ecr, content }) => {
  const repository = { registry: 'public', name: 'docker/library/busybox' };
  const { policy } = ecr;
  const caller = async (principal: Principal) => {
    const { token } = await ecr.issueToken(principal);
    return await policy.authenticate(`Basic ${Buffer.from(`AWS:${token}`).toString('base64')}`, 'public.ecr.aws');
  };
  await policy.authorize(undefined, repository, 'manifest-get');
  await assert.rejects(policy.requireRepository(repository, 'pull'), /does not exist in the public gallery/);
  await assert.rejects(policy.authorize(undefined, repository, 'manifest-put'), { kind: 'Unauthenticated' });
  await assert.rejects(policy.authorize(await caller(me), repository, 'manifest-put'), { kind: 'PermissionDenied' });
  const daemon: Principal = {
    kind: 'service',
    account,
    service: PUBLISHER,
    arn: `arn:aws:iam::${account}:root` as Arn,
  };
  await policy.authorize(await caller(daemon), repository, 'manifest-put');
  await policy.requireRepository(repository, 'push');
  assert.ok(await content.hasRepository(repository));
});

ecrTest('a lifecycle policy is kept, previewed, and run', async (ecr) => {
  const { call, as, clock } = ecr;
  await create(ecr, 'app');
  for (const tag of ['one', 'two', 'three']) {
    await push(ecr, 'app', tag, { note: tag });
    clock.advance(60_000);
  }
  const named = { repositoryName: 'app' };
  const fault = /does not exist for the repository with name 'app'/;
  await assert.rejects(call.GetLifecyclePolicy(named, as(me)), fails('LifecyclePolicyNotFoundException', fault));
  await assert.rejects(
    call.GetLifecyclePolicyPreview(named, as(me)),
    fails('LifecyclePolicyPreviewNotFoundException', fault),
  );
  const rule = {
    rulePriority: 1,
    description: 'keep the newest',
    selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
    action: { type: 'expire' },
  };
  const lifecyclePolicyText = JSON.stringify({ rules: [rule] });
  await call.StartLifecyclePolicyPreview({ ...named, lifecyclePolicyText }, as(me));
  const { previewResults, summary } = await call.GetLifecyclePolicyPreview(named, as(me));
  assert.equal(summary?.expiringImageTotalCount, 2);
  assert.deepEqual(previewResults!.map(({ imageTags }) => String(imageTags![0])).sort(), ['one', 'two']);
  const tags = async () =>
    (await call.ListImages(named, as(me))).imageIds!.map(({ imageTag }) => String(imageTag)).sort();
  assert.deepEqual(await tags(), ['one', 'three', 'two'], 'a preview deletes nothing');
  await call.PutLifecyclePolicy({ ...named, lifecyclePolicyText }, as(me));
  const [lifecycle] = ecr.ecr.reconcilers;
  await lifecycle!.reconcile(
    repositoryKey({ registry: `${account}/us-east-1`, name: 'app' }),
    AbortSignal.timeout(5000),
  );
  assert.deepEqual(await tags(), ['three']);
  const kept = await call.GetLifecyclePolicy(named, as(me));
  assert.deepEqual([kept.lifecyclePolicyText, kept.lastEvaluatedAt?.getTime()], [lifecyclePolicyText, clock.now()]);
  await call.DeleteLifecyclePolicy(named, as(me));
  await assert.rejects(call.GetLifecyclePolicy(named, as(me)), fails('LifecyclePolicyNotFoundException', fault));
});

ecrTest('a signature follows its image, which a lifecycle policy expired', async (ecr) => {
  const { call, as, clock } = ecr;
  await create(ecr, 'app');
  const named = { repositoryName: 'app' };
  const rule = {
    rulePriority: 1,
    selection: { tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 2 },
    action: { type: 'expire' },
  };
  await call.PutLifecyclePolicy({ ...named, lifecyclePolicyText: JSON.stringify({ rules: [rule] }) }, as(me));
  await push(ecr, 'app', 'v1');
  const subject = { mediaType: OCI_MANIFEST, digest: digestOf(manifestOf('')), size: manifestOf('').length };
  const imageManifest = JSON.stringify({ ...JSON.parse(manifestOf('signature')), subject });
  await call.PutImage({ ...named, imageManifest }, as(me));
  const runs = async () => {
    const key = repositoryKey({ registry: `${account}/us-east-1`, name: 'app' });
    await ecr.ecr.reconcilers[0]!.reconcile(key, AbortSignal.timeout(5000));
    return (await call.ListImages(named, as(me))).imageIds!.map(({ imageDigest }) => imageDigest);
  };
  clock.advance(3 * 86_400_000);
  assert.deepEqual(await runs(), [digestOf(imageManifest)]);
  assert.deepEqual(await runs(), []);
});
