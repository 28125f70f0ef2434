import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { after, before, test } from 'node:test';
import { systemClock, systemRandom } from '#base';
import { createAuthority, createServerCertificate } from '../../auth/certificates.ts';
import type { AdmissionRequest } from '../../auth/user.ts';
import { MemoryClient } from '../../client/memory-client.ts';
import { MemoryInformers } from '../../client/memory-informers.ts';
import type { KubernetesObject } from '../../object.ts';
import {
  configMaps,
  mutatingWebhookConfigurations,
  namespaces,
  validatingWebhookConfigurations,
} from '../../resources.ts';
import type { ConfigMap, MutatingWebhookConfiguration } from '../../types.ts';
import { mutatingWebhooks, validatingWebhooks } from './plugin.ts';

type Review = { request: { uid: string; object: ConfigMap; operation: string } };
type Webhook = NonNullable<MutatingWebhookConfiguration['webhooks']>[number];

const parts = { clock: systemClock, random: systemRandom };
/** What the server answers by path, from the request of the review. */
const answers: { [path: string]: (request: Review['request']) => object } = {
  '/allow': () => ({ allowed: true, warnings: ['careful'] }),
  '/deny': () => ({ allowed: false, status: { message: 'not today', code: 418 } }),
  '/silent': () => ({ allowed: false }),
  '/other': () => ({ allowed: true, uid: 'other' }),
  '/label': ({ object }) => ({
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(
      JSON.stringify([{ op: 'add', path: '/data/count', value: `${Number(object.data?.['count'] ?? 0) + 1}` }]),
    ).toString('base64'),
  }),
};
let server: ReturnType<typeof createServer>;
let caBundle: string;

before(async () => {
  const authority = await createAuthority('webhooks', parts);
  const names = ['localhost', 'hooks.default.svc'];
  const certificate = await createServerCertificate(authority, { commonName: 'hooks', names }, parts);
  caBundle = Buffer.from(authority.certificatePem).toString('base64');
  server = createServer({ key: certificate.keyPem, cert: certificate.certificatePem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { request: review } = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      // Left without an answer.
      if (request.url!.startsWith('/slow')) return;
      const answer = answers[request.url!.split('?')[0]!]?.(review);
      if (!answer) {
        response.writeHead(500).end();
        return;
      }
      response.end(
        JSON.stringify({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          response: { uid: review.uid, ...answer },
        }),
      );
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
after(() => {
  server.close();
  server.closeAllConnections();
});

const port = () => (server.address() as AddressInfo).port;
const rules = [{ operations: ['*'], apiGroups: [''], apiVersions: ['*'], resources: ['configmaps'] }];

function hook(path: string, more: Partial<Webhook> = {}): Webhook {
  const clientConfig = { url: `https://localhost:${port()}${path}`, caBundle };
  return {
    name: 'hook.example.com',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    rules,
    clientConfig,
    ...more,
  };
}

async function setUp(webhooks: readonly Webhook[]) {
  const client = new MemoryClient();
  await client.create(namespaces, { metadata: { name: 'default', labels: { hooked: 'yes' } } });
  await client.create(validatingWebhookConfigurations, { metadata: { name: 'v' }, webhooks });
  await client.create(mutatingWebhookConfigurations, { metadata: { name: 'm' }, webhooks });
  const dialService = async () => {
    const socket = connect(port(), '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
  const made = { informers: new MemoryInformers(client), random: systemRandom, dialService };
  const object: KubernetesObject = { metadata: { name: 'm', namespace: 'default' }, data: {} } as KubernetesObject;
  const request: AdmissionRequest = {
    operation: 'CREATE',
    type: configMaps,
    namespace: 'default',
    name: 'm',
    object,
    oldObject: undefined,
    user: { username: 'u', groups: [] },
    isDryRun: false,
  };
  return {
    validate: (more: Partial<AdmissionRequest> = {}) => validatingWebhooks(made).validate!({ ...request, ...more }),
    mutate: async () => (await mutatingWebhooks(made).mutate!(request)) as ConfigMap,
  };
}

test('a webhook allows with warnings, or refuses in its own words and code', async () => {
  assert.deepEqual(await (await setUp([hook('/allow')])).validate(), ['careful']);
  await assert.rejects((await setUp([hook('/deny')])).validate(), {
    message: 'admission webhook "hook.example.com" denied the request: not today',
  });
  await assert.rejects((await setUp([hook('/silent')])).validate(), {
    code: 403,
    message: 'admission webhook "hook.example.com" denied the request without explanation',
  });
});

test('a service of the cluster is asked by its name in it', async () => {
  const clientConfig = { service: { namespace: 'default', name: 'hooks', path: '/allow' }, caBundle };
  assert.deepEqual(await (await setUp([hook('', { clientConfig })])).validate(), ['careful']);
});

test('what fails refuses, unless it may be ignored', async () => {
  for (const path of ['/absent', '/other']) {
    await assert.rejects((await setUp([hook(path)])).validate(), {
      code: 500,
      message: /^Internal error occurred: failed calling webhook "hook.example.com": /,
    });
    assert.deepEqual(await (await setUp([hook(path, { failurePolicy: 'Ignore' })])).validate(), []);
  }
  const clientConfig = { url: `https://localhost:${port()}/allow` };
  await assert.rejects((await setUp([hook('', { clientConfig })])).validate(), /failed to call webhook: Post "https:/);
});

test('a webhook that does not answer in its time has failed', { timeout: 20_000 }, async () => {
  const slow = (more: Partial<Webhook> = {}) => setUp([hook('/slow', { timeoutSeconds: 1, ...more })]);
  await assert.rejects((await slow()).validate(), /failed to call webhook: .*context deadline exceeded/);
  assert.deepEqual(await (await slow({ failurePolicy: 'Ignore' })).validate(), []);
});

test('a dry run asks only webhooks that leave no trace', async () => {
  const dry = async (sideEffects: string, more: Partial<Webhook> = {}) =>
    (await setUp([hook('/allow', { sideEffects, ...more })])).validate({ isDryRun: true });
  assert.deepEqual(await dry('None'), ['careful']);
  assert.deepEqual(await dry('NoneOnDryRun'), ['careful']);
  const refused = { code: 400, message: 'admission webhook "hook.example.com" does not support dry run' };
  await assert.rejects(dry('Some'), refused);
  await assert.rejects(dry('Unknown', { failurePolicy: 'Ignore' }), refused);
});

test('rules, selectors and conditions say what a webhook is asked', async () => {
  const deny = (more: Partial<Webhook>) => setUp([hook('/deny', more)]);
  assert.deepEqual(await (await deny({ rules: [{ ...rules[0]!, resources: ['secrets'] }] })).validate(), []);
  assert.deepEqual(await (await deny({ namespaceSelector: { matchLabels: { hooked: 'no' } } })).validate(), []);
  assert.deepEqual(await (await deny({ objectSelector: { matchLabels: { a: 'b' } } })).validate(), []);
  const matchConditions = [{ name: 'updates', expression: 'request.operation == "UPDATE"' }];
  assert.deepEqual(await (await deny({ matchConditions })).validate(), []);
  await assert.rejects((await deny({ matchConditions })).validate({ operation: 'UPDATE' }), /not today/);
});

test('patches are applied in order, and who wants to is asked again', async () => {
  const { mutate } = await setUp([hook('/label', { reinvocationPolicy: 'IfNeeded' }), hook('/label')]);
  assert.deepEqual((await mutate()).data, { count: '3' });
  assert.deepEqual((await (await setUp([hook('/allow')])).mutate()).data, {});
});
