/**
 * Approves the requests of kubelets, signs what is approved, and forgets what is over. Upstream: `pkg/controller/certificates/{approver,signer,cleaner}`. Serving
 * certificates of nodes that ask for themselves are approved too, as EKS does it.
 */
import { messageOf, isoSeconds } from '#base';
import { type Controller, type ControllerParts, type Step, wakes } from '../../controllers/controller.ts';
import { certificateSigningRequests as requests } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { CertificateSigningRequest } from '../../types.ts';
import { type Credentials, parseSigningRequest, signRequest, type SigningRequest } from '../certificates.ts';
import type { Authorizer } from '../user.ts';
import { asksForItself, type Signer, signers } from './certificate-signers.ts';

export interface CertificateRequestParts extends Pick<ControllerParts, 'informers' | 'clock' | 'random'> {
  readonly authority: Credentials;
  readonly authorizer: Authorizer;
}

const hourMs = 60 * 60 * 1000;
const yearMs = 365 * 24 * hourMs;

type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number];

export function certificateRequestController(parts: CertificateRequestParts): Controller {
  const copies = parts.informers.of(requests);
  return {
    name: 'certificate-controller',
    wokenBy: [wakes(copies, ({ now }) => (now ? [now.metadata!.name!] : []))],
    reads: [[requests, copies]],
    async reconcile(name, step) {
      const request = copies.get(name);
      if (!request) return undefined;
      const isApproved = has(request, 'Approved');
      if (!isApproved && !has(request, 'Denied')) await approve(parts, request, step);
      else if (isApproved && !has(request, 'Failed') && !request.status?.certificate) await issue(parts, request, step);
      return forgetInTime(parts, request, step);
    },
  };
}

function has({ status }: CertificateSigningRequest, type: string): boolean {
  return !!status?.conditions?.some((condition) => condition.type === type);
}

async function approve(parts: CertificateRequestParts, request: CertificateSigningRequest, step: Step): Promise<void> {
  const { signerName } = request.spec;
  const isServing = signerName === 'kubernetes.io/kubelet-serving';
  if (!isServing && signerName !== 'kubernetes.io/kube-apiserver-client-kubelet') return;
  const parsed = await read(request);
  if (!parsed || signers.get(signerName)!.problemOf(parsed, request.spec.usages ?? [])) return;
  const message = isServing
    ? asksForItself(request.spec, parsed) && 'Auto approving the serving certificate of the node that asks for it.'
    : await clientApproval(parts.authorizer, request, parsed);
  if (!message) return;
  const approval = condition(parts, { type: 'Approved', reason: 'AutoApproved', message });
  await write(step, 'approval', withCondition(request, approval));
}

/** The requester must have the right to a client certificate, of its own name or of any node. */
async function clientApproval(
  authorizer: Authorizer,
  { spec }: CertificateSigningRequest,
  parsed: SigningRequest,
): Promise<string | undefined> {
  const { username = '', uid, groups = [] } = spec;
  const kinds = [
    ...(username === parsed.commonName
      ? [{ subresource: 'selfnodeclient', what: 'self kubelet client certificate' }]
      : []),
    { subresource: 'nodeclient', what: 'kubelet client certificate' },
  ];
  for (const { subresource, what } of kinds) {
    const { isAllowed } = await authorizer.authorize({
      kind: 'resource',
      user: { username, groups, ...(uid && { uid }) },
      verb: 'create',
      group: 'certificates.k8s.io',
      version: 'v1',
      resource: 'certificatesigningrequests',
      subresource,
    });
    if (isAllowed) return `Auto approving ${what} after SubjectAccessReview.`;
  }
  return undefined;
}

async function issue(parts: CertificateRequestParts, request: CertificateSigningRequest, step: Step): Promise<void> {
  const signer = signers.get(request.spec.signerName);
  // Other signers are somebody else's.
  if (!signer) return;
  const answer = await sign(parts, request, signer);
  const next =
    'problem' in answer
      ? withCondition(
          request,
          condition(parts, { type: 'Failed', reason: 'SignerValidationFailure', message: answer.problem }),
        )
      : { ...request, status: { ...request.status, certificate: Buffer.from(answer.pem).toString('base64') } };
  await write(step, 'status', next);
}

async function sign(parts: CertificateRequestParts, { spec }: CertificateSigningRequest, signer: Signer) {
  try {
    const pem = Buffer.from(spec.request, 'base64').toString();
    const problem = signer.problemOf(await parseSigningRequest(pem), spec.usages ?? []);
    if (problem) return { problem };
    const lifeMs = Math.min(spec.expirationSeconds ? spec.expirationSeconds * 1000 : yearMs, yearMs);
    return { pem: await signRequest(parts.authority, pem, { purposes: signer.purposes, lifeMs }, parts) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

async function read({ spec }: CertificateSigningRequest): Promise<SigningRequest | undefined> {
  try {
    return await parseSigningRequest(Buffer.from(spec.request, 'base64').toString());
  } catch {
    // Nobody approves what cannot be read; validation let it pass as a PEM block of the right type.
    return undefined;
  }
}

/** Decided requests are kept for an hour, open ones for a day: `cleaner.go`. */
async function forgetInTime(
  { clock }: CertificateRequestParts,
  request: CertificateSigningRequest,
  { api, signal }: Step,
) {
  const isOpen = !has(request, 'Approved') && !has(request, 'Denied') && !has(request, 'Failed');
  const since = Date.parse(request.metadata?.creationTimestamp ?? '') || clock.now();
  const leftMs = since + (isOpen ? 24 * hourMs : hourMs) - clock.now();
  if (leftMs > 0) return { afterMs: leftMs };
  await api.delete(requests, { name: request.metadata!.name! }, { signal }).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
  return undefined;
}

async function write({ api, signal }: Step, subresource: string, next: CertificateSigningRequest): Promise<void> {
  await api.update(requests, next, { subresource, signal }).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
}

function condition(
  { clock }: CertificateRequestParts,
  what: Pick<Condition, 'type' | 'reason' | 'message'>,
): Condition {
  const now = isoSeconds(clock.now());
  return { ...what, status: 'True', lastUpdateTime: now, lastTransitionTime: now };
}

function withCondition(request: CertificateSigningRequest, added: Condition): CertificateSigningRequest {
  const { status } = request;
  return { ...request, status: { ...status, conditions: [...(status?.conditions ?? []), added] } };
}
