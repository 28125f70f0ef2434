/**
 * The certificates of a cluster: its authority, its server's, those by which users and nodes prove who they are, and answers to signing requests.
 * All keys are EC P-256. The X.509 library is loaded with the first certificate that is made, so a control plane without clusters does not pay for it.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Clock, Random } from '#base';
import type { UserInfo } from './user.ts';

/** PEM; the key is PKCS #8. */
export interface Credentials {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface CertificateParts {
  readonly clock: Clock;
  readonly random: Random;
}

/** What a certificate may be used for: the extended key usages that Kubernetes has a use for. */
export type Purpose = 'client auth' | 'server auth';

export interface Lifetime {
  /** Default: a year, the lifetime upstream's own tools give. */
  readonly lifeMs?: number;
}

/** A certificate signing request, read and its signature checked. */
export interface SigningRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
}

type X509 = typeof import('@peculiar/x509');

const dayMs = 24 * 60 * 60 * 1000;
/** Clocks of nodes differ a little: upstream's signers backdate by as much. */
const backdateMs = 5 * 60 * 1000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const purposeIds: { readonly [Name in Purpose]: string } = {
  'client auth': '1.3.6.1.5.5.7.3.2',
  'server auth': '1.3.6.1.5.5.7.3.1',
};

let loading: Promise<X509> | undefined;
function load(): Promise<X509> {
  // The library's container of algorithms asks for the Reflect metadata polyfill before it is imported itself.
  return (loading ??= import('reflect-metadata').then(() => import('@peculiar/x509')));
}

/** A new cluster authority, for ten years. */
export async function createAuthority(commonName: string, { clock, random }: CertificateParts): Promise<Credentials> {
  const x509 = await load();
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(random),
    name: new x509.Name([attribute('CN', commonName)]),
    ...validity(clock, 3650 * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment | x509.KeyUsageFlags.keyCertSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: certificate.toString('pem'), keyPem: await exportKey(keys.privateKey) };
}

/** A certificate of a server that is reached by `names`: DNS names and IP addresses. */
export function createServerCertificate(
  authority: Credentials,
  { commonName, names, ...lifetime }: Lifetime & { readonly commonName: string; readonly names: readonly string[] },
  parts: CertificateParts,
): Promise<Credentials> {
  const generalNames = names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }));
  const name = [attribute('CN', commonName)];
  return createLeaf(authority, { ...lifetime, name, generalNames, purpose: 'server auth' }, parts);
}

/** A certificate that proves a user: the common name is the user's, the organizations are the groups. */
export function createClientCertificate(
  authority: Credentials,
  { username, groups, ...lifetime }: Lifetime & { readonly username: string; readonly groups: readonly string[] },
  parts: CertificateParts,
): Promise<Credentials> {
  const name = [...groups.map((group) => attribute('O', group)), attribute('CN', username)];
  return createLeaf(authority, { ...lifetime, name, generalNames: [], purpose: 'client auth' }, parts);
}

/** Reads a PKCS #10 request in PEM. Throws an `Error` that says what is wrong with it. */
export async function parseSigningRequest(requestPem: string): Promise<SigningRequest> {
  const x509 = await load();
  const request = decodeRequest(x509, requestPem);
  const names = request.getExtension('2.5.29.17');
  const generalNames = names instanceof x509.SubjectAlternativeNameExtension ? names.names.items : [];
  const valuesOf = (type: string) => generalNames.filter((name) => name.type === type).map(({ value }) => value);
  return {
    commonName: request.subjectName.getField('CN')[0] ?? '',
    organizations: request.subjectName.getField('O'),
    dnsNames: valuesOf('dns'),
    ipAddresses: valuesOf('ip'),
    emailAddresses: valuesOf('email'),
    uris: valuesOf('url'),
  };
}

/** Signs a PKCS #10 request as it asks to be named, for the purposes given. Throws an `Error` if the request does not prove its key. */
export async function signRequest(
  authority: Credentials,
  requestPem: string,
  { purposes, ...lifetime }: Lifetime & { readonly purposes: readonly Purpose[] },
  parts: CertificateParts,
): Promise<string> {
  const x509 = await load();
  const request = decodeRequest(x509, requestPem);
  if (!(await request.verify())) throw new Error('the signature of the certificate request does not match its key');
  const names = request.getExtension('2.5.29.17');
  const certificate = await issue(
    x509,
    authority,
    {
      ...lifetime,
      name: request.subjectName,
      publicKey: request.publicKey,
      purposes,
      extensions: names ? [names] : [],
    },
    parts,
  );
  return certificate.toString('pem');
}

/**
 * The user whom a verified client certificate names: upstream's `CommonNameUserConversion`. Undefined without a common name. The caller has checked the
 * chain, the dates and the purpose, as Node's TLS does when it says `authorized`.
 */
export function userOfCertificate(certificate: X509Certificate): UserInfo | undefined {
  // Node gives an attribute that stands once as a string, one that is repeated as an array.
  const subject = certificate.toLegacyObject().subject as {
    readonly CN?: string | string[];
    readonly O?: string | string[];
  };
  const [username] = [subject.CN ?? []].flat();
  if (!username) return undefined;
  const digest = createHash('sha256').update(certificate.raw).digest('hex');
  return {
    username,
    groups: [subject.O ?? []].flat(),
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${digest}`] },
  };
}

type Attribute = Record<string, { utf8String: string }[]>;

/** One attribute of a name, its value taken as it is: as a plain string the library would read escapes in it. */
function attribute(type: 'CN' | 'O', value: string): Attribute {
  return { [type]: [{ utf8String: value }] };
}

interface Leaf extends Lifetime {
  readonly name: readonly Attribute[];
  readonly generalNames: readonly { readonly type: 'dns' | 'ip'; readonly value: string }[];
  readonly purpose: Purpose;
}

async function createLeaf(authority: Credentials, leaf: Leaf, parts: CertificateParts): Promise<Credentials> {
  const x509 = await load();
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names = leaf.generalNames.length > 0 ? [new x509.SubjectAlternativeNameExtension([...leaf.generalNames])] : [];
  const certificate = await issue(
    x509,
    authority,
    {
      ...leaf,
      name: new x509.Name([...leaf.name]),
      publicKey: keys.publicKey,
      purposes: [leaf.purpose],
      extensions: names,
    },
    parts,
  );
  return { certificatePem: certificate.toString('pem'), keyPem: await exportKey(keys.privateKey) };
}

interface Issue extends Lifetime {
  readonly name: InstanceType<X509['Name']>;
  readonly publicKey: CryptoKey | InstanceType<X509['PublicKey']>;
  readonly purposes: readonly Purpose[];
  readonly extensions: readonly InstanceType<X509['Extension']>[];
}

async function issue(x509: X509, authority: Credentials, wanted: Issue, { clock, random }: CertificateParts) {
  const issuer = new x509.X509Certificate(authority.certificatePem);
  const signingKey = createPrivateKey(authority.keyPem).toCryptoKey(algorithm, false, ['sign']);
  const { notBefore, notAfter } = validity(clock, wanted.lifeMs ?? 365 * dayMs);
  return x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    subject: wanted.name,
    issuer: issuer.subjectName,
    notBefore,
    // Nothing outlives the authority that vouches for it.
    notAfter: notAfter < issuer.notAfter ? notAfter : issuer.notAfter,
    signingAlgorithm: algorithm,
    publicKey: wanted.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension(wanted.purposes.map((purpose) => purposeIds[purpose])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...wanted.extensions,
    ],
  });
}

function decodeRequest(x509: X509, pem: string) {
  try {
    return new x509.Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw new Error('PEM block type must be CERTIFICATE REQUEST', { cause });
  }
}

function validity(clock: Clock, lifeMs: number) {
  return { notBefore: new Date(clock.now() - backdateMs), notAfter: new Date(clock.now() + lifeMs) };
}

/** A positive number of 16 bytes: RFC 5280, 4.1.2.2. */
function serialNumber(random: Random): string {
  return `4${random.hex(31)}`;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`;
}
