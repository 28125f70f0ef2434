/** One call of a webhook: an AdmissionReview posted over HTTPS, and what came back. Kubernetes documentation, "Dynamic Admission Control". */
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { messageOf } from '#base';
import type { ValidatingWebhookConfiguration } from '../../types.ts';

export type ClientConfig = NonNullable<ValidatingWebhookConfiguration['webhooks']>[number]['clientConfig'];

export interface ServicePort {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/** A connection to a pod behind a service. Throws `StatusError` `ServiceUnavailable` when there is none. */
export type DialService = (service: ServicePort, signal: AbortSignal) => Promise<Duplex>;

export interface WebhookAnswer {
  readonly allowed: boolean;
  readonly status?: { readonly code?: number; readonly message?: string; readonly reason?: string };
  readonly patch?: string;
  readonly patchType?: string;
  readonly warnings?: readonly string[];
}

export interface WebhookCall {
  readonly config: ClientConfig;
  /** The review's request; its uid must come back. */
  readonly review: { readonly uid: string };
  readonly version: string;
  readonly timeoutMs: number;
  readonly dial: DialService;
}

/** What a webhook may answer at most: objects are bounded, and so are patches of them. */
const maxAnswerBytes = 3 * 1024 * 1024;

/** Throws an `Error` that says why there is no answer that counts. */
export async function callWebhook({ config, review, version, timeoutMs, dial }: WebhookCall): Promise<WebhookAnswer> {
  const body = JSON.stringify({ apiVersion: `admission.k8s.io/${version}`, kind: 'AdmissionReview', request: review });
  let text: string;
  try {
    text = await postToWebhook({ config, body, timeoutMs, dial });
  } catch (error) {
    throw new Error(`failed to call webhook: ${messageOf(error)}`, { cause: error });
  }
  return answerOf(text, review.uid);
}

export interface WebhookPost extends Pick<WebhookCall, 'config' | 'timeoutMs' | 'dial'> {
  /** JSON. */
  readonly body: string;
}

/** Posts to a webhook of any sort, and answers the body of its answer. Throws an `Error` that says what went wrong. */
export async function postToWebhook({ config, body, timeoutMs, dial }: WebhookPost): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const target = targetOf(config, timeoutMs);
  try {
    return await post(target, config, { body, signal, dial });
  } catch (error) {
    const why = signal.aborted ? 'context deadline exceeded' : messageOf(error);
    throw new Error(`Post "${target.href}": ${why}`, { cause: error });
  }
}

function targetOf({ url, service }: ClientConfig, timeoutMs: number): URL {
  const target = new URL(url ?? `https://${service!.name}.${service!.namespace}.svc:${service!.port ?? 443}`);
  if (service?.path) target.pathname = service.path;
  target.searchParams.set('timeout', `${timeoutMs / 1000}s`);
  return target;
}

interface Posting {
  readonly body: string;
  readonly signal: AbortSignal;
  readonly dial: DialService;
}

async function post(
  target: URL,
  { caBundle, service }: ClientConfig,
  { body, signal, dial }: Posting,
): Promise<string> {
  const ca = caBundle ? Buffer.from(caBundle, 'base64').toString() : undefined;
  const wire =
    service && (await dial({ namespace: service.namespace, name: service.name, port: service.port ?? 443 }, signal));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = httpsRequest(
    target,
    {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json',
        'Content-Length': Buffer.byteLength(body),
      },
      signal,
      ...(ca !== undefined && { ca }),
      // A service is known by its name in the cluster, whatever the connection to it is made of.
      ...(!wire && { agent: false }),
      ...(wire && {
        createConnection: () => connect({ socket: wire, servername: target.hostname, ...(ca !== undefined && { ca }) }),
      }),
    },
    (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes) response.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`the server answered ${response.statusCode}`));
      });
    },
  );
  request.on('error', reject);
  request.end(body);
  return promise.finally(() => wire?.destroy());
}

function answerOf(text: string, uid: string): WebhookAnswer {
  let review: { readonly response?: Partial<WebhookAnswer> & { readonly uid?: string } };
  try {
    review = JSON.parse(text) as typeof review;
  } catch (cause) {
    throw new Error(`couldn't get version/kind; json parse error`, { cause });
  }
  const answer = review?.response;
  if (!answer || typeof answer !== 'object') throw new Error('webhook response was absent');
  if (answer.uid !== uid) throw new Error(`expected response.uid="${uid}", got "${String(answer.uid)}"`);
  return { ...answer, allowed: answer.allowed === true };
}
