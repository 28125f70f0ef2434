import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { systemClock, systemRandom } from '#base';
import { harness } from '../../controllers/harness.ts';
import {
  certificateSigningRequests,
  clusterRoles,
  configMaps,
  namespaces,
  secrets,
  serviceAccounts,
} from '../../resources.ts';
import { createAuthority } from '../certificates.ts';
import { createSigningKey } from '../json-web-token.ts';
import { createServiceAccountTokens, type ServiceAccountTokens } from '../service-account-tokens.ts';
import type { Authorizer } from '../user.ts';
import { accessControllers } from './index.ts';

async function start(authorizer: Authorizer = { authorize: async () => ({ isAllowed: true, reason: '' }) }) {
  const authority = await createAuthority('test', { clock: systemClock, random: systemRandom });
  const key = createSigningKey();
  let tokens: ServiceAccountTokens | undefined;
  const run = harness((parts) => {
    tokens = createServiceAccountTokens({ key, issuer: 'https://issuer', ...parts });
    return accessControllers({ ...parts, authority, authorizer, tokens });
  });
  return { authority, run, tokens: tokens! };
}

test('a namespace gets its account and the authority, and gets them again', async () => {
  const { run, authority } = await start();
  await using _ = run;
  await run.client.create(namespaces, { metadata: { name: 'a' } });
  await run.settle();
  const map = { namespace: 'a', name: 'kube-root-ca.crt' };
  assert.equal((await run.client.get(configMaps, map)).data?.['ca.crt'], authority.certificatePem);
  await run.client.get(serviceAccounts, { namespace: 'a', name: 'default' });
  await run.client.delete(serviceAccounts, { namespace: 'a', name: 'default' });
  await run.client.patch(configMaps, map, { kind: 'merge', body: { data: { 'ca.crt': 'other' } } });
  await run.settle();
  await run.client.get(serviceAccounts, { namespace: 'a', name: 'default' });
  assert.equal((await run.client.get(configMaps, map)).data?.['ca.crt'], authority.certificatePem);
});

test('a gathering role has the rules of what it selects, and of what those select', async () => {
  const { run } = await start();
  await using _ = run;
  const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
  const gathering = (name: string, labels: { [key: string]: string }) => ({
    metadata: { name, labels },
    rules: [],
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`to-${name}`]: 'true' } }] },
  });
  await run.client.create(clusterRoles, gathering('edit', {}));
  await run.client.create(clusterRoles, gathering('view', { 'to-edit': 'true' }));
  await run.client.create(clusterRoles, {
    metadata: { name: 'b', labels: { 'to-view': 'true' } },
    rules: [rule('pods')],
  });
  await run.client.create(clusterRoles, {
    metadata: { name: 'a', labels: { 'to-edit': 'true' } },
    rules: [rule('secrets')],
  });
  await run.settle();
  assert.deepEqual((await run.client.get(clusterRoles, { name: 'edit' })).rules, [rule('secrets'), rule('pods')]);
  await run.client.delete(clusterRoles, { name: 'b' });
  await run.settle();
  assert.deepEqual((await run.client.get(clusterRoles, { name: 'edit' })).rules, [rule('secrets')]);
});

async function requestFor(name: { [attribute: string]: string[] }[], dns: readonly string[] = []) {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  const extensions = dns.length
    ? [new x509.SubjectAlternativeNameExtension(dns.map((value) => ({ type: 'dns' as const, value })))]
    : [];
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm, extensions });
  return Buffer.from(request.toString('pem')).toString('base64');
}

test('the requests of kubelets are approved and signed, others wait for somebody', async () => {
  const { run } = await start();
  await using _ = run;
  const subject = [{ O: ['system:nodes'] }, { CN: ['system:node:n1'] }];
  const submit = async (name: string, signer: string, usage: string, request: string, username = 'system:node:n1') => {
    await run.client.create(certificateSigningRequests, {
      metadata: { name },
      spec: {
        signerName: `kubernetes.io/${signer}`,
        usages: ['digital signature', usage],
        request,
        username,
        groups: ['system:nodes'],
      },
    });
    await run.settle();
    // Keys are made and used outside the event loop's turns that settling counts.
    for await (const { object } of run.client.watch(certificateSigningRequests, {
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: '0',
      signal: AbortSignal.timeout(5000),
    }))
      if (object.status?.certificate ?? object.status?.conditions?.some(({ type }) => type === 'Failed')) return object;
    throw new Error('never decided');
  };
  const client = await submit('client', 'kube-apiserver-client-kubelet', 'client auth', await requestFor(subject));
  assert.equal(
    client.status!.conditions![0]!.message,
    'Auto approving self kubelet client certificate after SubjectAccessReview.',
  );
  const certificate = new X509Certificate(Buffer.from(client.status!.certificate!, 'base64'));
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  const serving = await submit('serving', 'kubelet-serving', 'server auth', await requestFor(subject, ['n1']));
  assert.ok(serving.status!.certificate);

  const foreign = await requestFor([{ CN: ['alice'] }]);
  await run.client.create(certificateSigningRequests, {
    metadata: { name: 'alice' },
    spec: { signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], request: foreign },
  });
  await run.settle();
  const waiting = await run.client.get(certificateSigningRequests, { name: 'alice' });
  assert.equal(waiting.status?.conditions, undefined);
  await run.advance(25 * 60 * 60 * 1000);
  await assert.rejects(run.client.get(certificateSigningRequests, { name: 'alice' }), { reason: 'NotFound' });
});

test('a secret made for an account gets a token that lasts as long as both', async () => {
  const { run, tokens } = await start();
  await using _ = run;
  const account = { namespace: 'a', name: 'robot' };
  await run.client.create(serviceAccounts, { metadata: account });
  await run.client.create(secrets, {
    metadata: { namespace: 'a', name: 's', annotations: { 'kubernetes.io/service-account.name': 'robot' } },
    type: 'kubernetes.io/service-account-token',
  });
  await run.settle();
  const { data } = await run.client.get(secrets, { namespace: 'a', name: 's' });
  assert.equal(Buffer.from(data!['namespace']!, 'base64').toString(), 'a');
  const token = Buffer.from(data!['token']!, 'base64').toString();
  await run.advance(400 * 24 * 60 * 60 * 1000);
  const verdict = await tokens.verify(token, {});
  assert.equal(verdict.kind === 'user' && verdict.user.username, 'system:serviceaccount:a:robot');
  await run.client.delete(serviceAccounts, account);
  await run.settle();
  await assert.rejects(run.client.get(secrets, { namespace: 'a', name: 's' }), { reason: 'NotFound' });
  assert.equal((await tokens.verify(token, {})).kind, 'refused');
});
