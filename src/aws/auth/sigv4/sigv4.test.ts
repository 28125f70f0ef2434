import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { suite, test } from 'node:test';
import { stringToSign, type SignedRequest } from './canonical.ts';
import { readClaim, type SignatureClaim } from './claim.ts';
import { SignatureFault } from './fault.ts';
import { SignatureVerifier } from './verifier.ts';

// The example of "Signature Version 4 signing process" in the AWS General Reference.
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const SIGNATURE = '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7';
const NOW = Date.UTC(2015, 7, 30, 12, 36, 0);
const example: SignedRequest = {
  method: 'GET',
  path: '/',
  query: 'Action=ListUsers&Version=2010-05-08',
  headers: {
    host: 'iam.amazonaws.com',
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'x-amz-date': '20150830T123600Z',
    authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=${SIGNATURE}`,
  },
  body: Buffer.alloc(0),
};

function sign(request: SignedRequest, claim: SignatureClaim): string {
  let key: string | Buffer = `AWS4${SECRET}`;
  for (const part of [claim.date, claim.region, claim.service, 'aws4_request'])
    key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(stringToSign(request, claim)).digest('hex');
}

interface Change {
  readonly headers?: { readonly [name: string]: string };
  readonly signedHeaders?: string;
  readonly date?: string;
  readonly body?: string;
}

/** The example with changes, signed anew with the right key. */
function signed({
  headers = {},
  signedHeaders = 'content-type;host;x-amz-date',
  date = '20150830',
  body = '',
}: Change): SignedRequest {
  const authorization = (signature: string) =>
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${date}/us-east-1/iam/aws4_request, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  const request = {
    ...example,
    body: Buffer.from(body),
    headers: { ...example.headers, ...headers, authorization: authorization('0'.repeat(64)) },
  };
  request.headers.authorization = authorization(sign(request, readClaim(request.headers, request.query)!));
  return request;
}

function presigned(fields: { readonly [name: string]: string } = {}): SignedRequest {
  const query = new URLSearchParams({
    Action: 'GetCallerIdentity',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'AKIDEXAMPLE/20150830/us-east-1/sts/aws4_request',
    'X-Amz-Date': '20150830T123600Z',
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
    ...fields,
    'X-Amz-Signature': '0'.repeat(64),
  });
  const request: SignedRequest = {
    method: 'GET',
    path: '/',
    query: query.toString(),
    headers: { host: 'localhost:4566' },
    body: Buffer.alloc(0),
  };
  query.set('X-Amz-Signature', sign(request, readClaim(request.headers, request.query)!));
  return { ...request, query: query.toString() };
}

function verify(request: SignedRequest, now = NOW, sessionToken?: string): void {
  const claim = readClaim(request.headers, request.query);
  if (!claim) throw new SignatureFault('missing', 'no claim');
  const secret = sessionToken === undefined ? { secretAccessKey: SECRET } : { secretAccessKey: SECRET, sessionToken };
  new SignatureVerifier().verify(request, claim, secret, now);
}

function refused(kind: SignatureFault['kind'], request: SignedRequest, now = NOW, sessionToken?: string): void {
  assert.throws(
    () => verify(request, now, sessionToken),
    (error) => error instanceof SignatureFault && error.kind === kind,
  );
}

const MINUTE = 60_000;

suite('Signature Version 4', () => {
  test('accepts the published example and our own', () => {
    verify(example);
    verify(signed({ body: 'Action=ListUsers' }));
    verify(presigned());
  });

  test('a changed body, path, query, method or header is refused', () => {
    refused('mismatch', { ...example, body: Buffer.from('x') });
    refused('mismatch', { ...example, path: '/other' });
    refused('mismatch', { ...example, query: `${example.query}&More=1` });
    refused('mismatch', { ...example, method: 'POST' });
    refused('mismatch', { ...example, headers: { ...example.headers, host: 'sts.amazonaws.com' } });
    refused('mismatch', { ...presigned(), query: `${presigned().query}&More=1` });
  });

  test('hole 1: only a hash may stand for the payload, and it must be that of the body', () => {
    const declare = (value: string) =>
      signed({
        headers: { 'x-amz-content-sha256': value },
        signedHeaders: 'content-type;host;x-amz-content-sha256;x-amz-date',
        body: 'x',
      });
    refused('mismatch', declare('UNSIGNED-PAYLOAD'));
    refused('mismatch', declare('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'));
    refused('mismatch', declare('anything'));
    refused('mismatch', {
      ...declare('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'),
      body: Buffer.from('y'),
    });
  });

  test('hole 2: host and every x-amz- header must be signed', () => {
    refused('mismatch', signed({ signedHeaders: 'content-type;x-amz-date' }));
    refused('mismatch', signed({ headers: { 'x-amz-target': 'Other.Operation' } }));
    refused('mismatch', signed({ signedHeaders: 'content-type;host' }));
  });

  test('hole 3: the day of the scope is that of the date', () => {
    refused('wrong-scope', signed({ date: '20150829' }));
  });

  test('hole 4: a scope is whole and has its terminator', () => {
    for (const credential of [
      'AKIDEXAMPLE',
      'A/20150830/us-east-1/iam',
      'A/20150830//iam/aws4_request',
      'A/20150830/us-east-1/iam/aws5_request',
    ])
      refused('incomplete', {
        ...example,
        headers: {
          ...example.headers,
          authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=${SIGNATURE}`,
        },
      });
  });

  test('clocks may be 15 minutes apart and no more', () => {
    verify(example, NOW + 15 * MINUTE);
    verify(example, NOW - 15 * MINUTE);
    refused('expired', example, NOW + 15 * MINUTE + 1000);
    refused('expired', example, NOW - 15 * MINUTE - 1000);
  });

  test('a presigned URL lives as long as it says', () => {
    verify(presigned(), NOW + MINUTE);
    refused('expired', presigned(), NOW + MINUTE + 1);
    refused('expired', presigned(), NOW - 16 * MINUTE);
    assert.throws(() => presigned({ 'X-Amz-Expires': '604801' }), SignatureFault);
    assert.throws(() => presigned({ 'X-Amz-Expires': 'soon' }), SignatureFault);
  });

  test('a session token must be the right one, and there only when the key has one', () => {
    const withToken = (token: string) =>
      signed({
        headers: { 'x-amz-security-token': token },
        signedHeaders: 'content-type;host;x-amz-date;x-amz-security-token',
      });
    verify(withToken('token'), NOW, 'token');
    refused('wrong-token', withToken('other'), NOW, 'token');
    refused('wrong-token', example, NOW, 'token');
    refused('wrong-token', withToken('token'), NOW);
  });

  test('a claim that is malformed is incomplete, and none is none', () => {
    refused('incomplete', { ...example, headers: { ...example.headers, authorization: 'Basic Zm9v' } });
    refused('incomplete', { ...example, headers: { ...example.headers, 'x-amz-date': 'yesterday' } });
    assert.equal(readClaim({ host: 'localhost' }, 'Action=ListUsers'), undefined);
  });
});
