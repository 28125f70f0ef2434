import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { messageOf, systemCode } from '#base';
import { KernelError } from '#kernel';
import type * as types from '../../types.ts';
import { dialFailure, failed, type ProbeOutcome, type ProbeTarget, succeeded } from './probe.ts';

type HttpGet = NonNullable<types.Probe['httpGet']>;

const mostRedirects = 10;

/** Succeeds when the answer's status is at least 200 and below 400. Redirects on the same host are followed; one to another host is success, as upstream has it. */
export async function probeHttp(
  target: ProbeTarget,
  { action, port }: { readonly action: HttpGet; readonly port: number },
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const address = action.host || target.address;
  const url = urlOf(action, `${address}:${port}`);
  const subject = `Get "${url.href}"`;
  try {
    const statusCode = await follow(target, url, { headers: headersOf(action), signal });
    if (statusCode === undefined) return failed(`${subject}: stopped after ${mostRedirects} redirects`);
    const isSuccess = statusCode >= 200 && statusCode < 400;
    return isSuccess ? succeeded : failed(`HTTP probe failed with statuscode: ${statusCode}`);
  } catch (error) {
    if (signal.aborted)
      return failed(`${subject}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)`);
    if (error instanceof KernelError) return failed(`${subject}: ${dialFailure(error, `${address}:${port}`)}`);
    if (systemCode(error) === 'ECONNRESET') return failed(`${subject}: EOF`);
    return failed(`${subject}: ${messageOf(error)}`);
  }
}

/** A path may carry a query. */
function urlOf({ scheme, path = '/' }: HttpGet, authority: string): URL {
  const base = `${scheme === 'HTTPS' ? 'https' : 'http'}://${authority}`;
  return new URL(`${base}${path.startsWith('/') ? '' : '/'}${path}`);
}

function headersOf({ httpHeaders }: HttpGet): { readonly [name: string]: string } {
  const asked = Object.fromEntries((httpHeaders ?? []).map(({ name, value }) => [name, value]));
  return { 'User-Agent': 'kube-probe/1.34', Accept: '*/*', Connection: 'close', ...asked };
}

interface Sending {
  readonly headers: { readonly [name: string]: string };
  readonly signal: AbortSignal;
}

/** The status of the last answer; undefined when there were too many. */
async function follow(target: ProbeTarget, first: URL, sending: Sending): Promise<number | undefined> {
  let url = first;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const answer = await get(target, url, sending);
    answer.destroy();
    const { statusCode = 0, headers } = answer;
    if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) return statusCode;
    const next = new URL(headers.location, url);
    if (next.hostname !== url.hostname) return statusCode;
    url = next;
  }
  return undefined;
}

async function get(target: ProbeTarget, url: URL, { headers, signal }: Sending): Promise<IncomingMessage> {
  const isSecure = url.protocol === 'https:';
  const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port);
  const socket = await target.dial(port, { address: url.hostname, signal });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // Certificates of pods are their own affair, as upstream has it.
  const secured = () => connectTls({ socket, rejectUnauthorized: false });
  const request = isSecure
    ? requestHttps(url, { headers, signal, createConnection: secured })
    : requestHttp(url, { headers, signal, createConnection: () => socket });
  request.on('response', resolve).on('error', reject).end();
  request.once('close', () => socket.destroy());
  return await promise;
}
