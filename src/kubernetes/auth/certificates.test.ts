import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { systemClock, systemRandom } from '#base';
import {
  createAuthority,
  createClientCertificate,
  createServerCertificate,
  parseSigningRequest,
  signRequest,
  userOfCertificate,
} from './certificates.ts';

const parts = { clock: systemClock, random: systemRandom };

test('server and client prove themselves to each other with one authority', async () => {
  const authority = await createAuthority('cluster', parts);
  const server = await createServerCertificate(
    authority,
    { commonName: 'kube-apiserver', names: ['kubernetes.default.svc', '127.0.0.1', '::1'] },
    parts,
  );
  const client = await createClientCertificate(
    authority,
    { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
    parts,
  );
  const listener = createServer({
    key: server.keyPem,
    cert: server.certificatePem,
    ca: authority.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const socket = connect({
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    ca: authority.certificatePem,
    key: client.keyPem,
    cert: client.certificatePem,
  });
  const [accepted] = (await once(listener, 'secureConnection')) as [TLSSocket];
  assert.equal(accepted.authorized, true);
  const user = userOfCertificate(accepted.getPeerX509Certificate()!);
  assert.equal(user?.username, 'system:node:n1');
  assert.deepEqual(user.groups, ['system:nodes', 'system:authenticated']);
  assert.match(user.extra!['authentication.kubernetes.io/credential-id']![0]!, /^X509SHA256=[0-9a-f]{64}$/);
  socket.destroy();
  accepted.destroy();
  listener.close();
});

test('a user name with separators and commas is one name', async () => {
  const authority = await createAuthority('cluster', parts);
  const { certificatePem } = await createClientCertificate(
    authority,
    { username: 'a, O=system:masters + b\\"', groups: [] },
    parts,
  );
  const user = userOfCertificate(new X509Certificate(certificatePem));
  assert.equal(user?.username, 'a, O=system:masters + b\\"');
  assert.deepEqual(user?.groups, []);
});

test('a signing request is read, signed as it asks, and refused when it was tampered with', async () => {
  const authority = await createAuthority('cluster', parts);
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ O: ['system:nodes'] }, { CN: ['system:node:n1'] }],
    keys,
    signingAlgorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'n1' },
        { type: 'ip', value: '10.0.0.1' },
      ]),
    ],
  });
  assert.deepEqual(await parseSigningRequest(request.toString('pem')), {
    commonName: 'system:node:n1',
    organizations: ['system:nodes'],
    dnsNames: ['n1'],
    ipAddresses: ['10.0.0.1'],
    emailAddresses: [],
    uris: [],
  });
  const pem = await signRequest(
    authority,
    request.toString('pem'),
    { purposes: ['server auth'], lifeMs: 60_000 },
    parts,
  );
  const certificate = new X509Certificate(pem);
  assert.equal(certificate.checkHost('n1'), 'n1');
  assert.equal(certificate.checkIP('10.0.0.1'), '10.0.0.1');
  assert.ok(certificate.verify(new X509Certificate(authority.certificatePem).publicKey));
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  const forged = Buffer.from(request.rawData);
  forged[forged.length - 1]! ^= 1;
  const forgedPem = x509.PemConverter.encode(forged, 'CERTIFICATE REQUEST');
  await assert.rejects(
    signRequest(authority, forgedPem, { purposes: ['client auth'] }, parts),
    /does not match its key/,
  );
  await assert.rejects(parseSigningRequest('nonsense'), /CERTIFICATE REQUEST/);
});
