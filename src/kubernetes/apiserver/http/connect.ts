/** Logs, exec, attach, port-forward and proxies: after the API server has said yes, bytes go to and fro between the client and a node's kubelet. */
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { isDabbaError } from '#base';
import { StatusError } from '../../status.ts';
import { acceptWebSocket, chooseProtocol, readerProtocols, sendStream } from '../../streaming/websocket-session.ts';
import type { Pod } from '../../types.ts';
import { get } from '../operations/read.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { framing, passedOn } from '../passed-headers.ts';
import { admitConnection } from './admit-connection.ts';
import { dialPod, type PodPort } from './dial-pod.ts';
import type { Exchange } from './exchange.ts';
import { passBack } from './pass-back.ts';
import { proxyTarget } from './proxy-target.ts';
import { passUpgrade } from './upgrade.ts';

/** Where a connection goes, and what is asked there: a path of a kubelet's API, or of a server in a pod. */
interface Destination {
  readonly node: string;
  readonly path: string;
  /** The pod's port; undefined for the kubelet itself. */
  readonly pod?: PodPort;
}

/** Throws what the client is told while nothing has been answered. */
export async function connect(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const destination = await destinationOf(parts, exchange, call);
  await admitConnection(parts, exchange, call);
  const { path, node: host } = destination;
  if (exchange.upgrade && call.subresource !== 'log')
    return passUpgrade(exchange, { dial: () => dial(parts, exchange, destination), path, host });
  const kubelet = await dial(parts, exchange, destination);
  if (exchange.upgrade) return logOverWebSocket(exchange, kubelet, destination);
  await forward(exchange, kubelet, destination);
}

async function dial({ dialKubelet }: ApiParts, { signal }: Exchange, { node, pod }: Destination): Promise<Duplex> {
  try {
    return pod ? await dialPod(dialKubelet, pod, signal) : await dialKubelet(node, signal);
  } catch (error) {
    if (!isDabbaError(error)) throw error;
    throw new StatusError('ServiceUnavailable', `error dialing backend: ${error.message}`, { cause: error });
  }
}

async function destinationOf(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<Destination> {
  const { info, url } = exchange;
  const rest = info.kind === 'resource' ? info.rest : '';
  const { resource } = call.resource.type;
  const part = call.subresource!;
  if (resource === 'nodes') return { node: await nodeOfProxy(parts, call), path: `/${rest}${url.search}` };
  if (part === 'proxy') {
    const target = await proxyTarget(parts, call);
    return { node: target.node, path: `/${rest}${url.search}`, pod: target };
  }
  const pod = (await get(parts, call)).object as Pod;
  const node = pod.spec?.nodeName;
  if (!node) throw new StatusError('BadRequest', `pod ${call.name} does not have a host assigned`);
  const here = `${encodeURIComponent(call.namespace!)}/${encodeURIComponent(call.name)}`;
  if (part === 'portforward') return { node, path: `/portForward/${here}${url.search}` };
  const container = containerOf(pod, url.searchParams.get('container') ?? '', part === 'attach' || part === 'exec');
  const query = new URLSearchParams(url.searchParams);
  query.delete('container');
  const endpoints: { readonly [name: string]: string } = { log: 'containerLogs', exec: 'exec', attach: 'attach' };
  return { node, path: `/${endpoints[part]}/${here}/${encodeURIComponent(container)}?${query}` };
}

/** `nodes/<name>/proxy`; a name may say the kubelet's port. */
async function nodeOfProxy(parts: ApiParts, call: NamedCall): Promise<string> {
  const name = call.name.replace(/^https?:/, '').replace(/:(10250)?$/, '');
  await get(parts, { ...call, name });
  return name;
}

/** The container that is meant. Source: `pkg/registry/core/pod/strategy.go`, "LogLocation", "streamLocation". */
function containerOf({ metadata, spec }: Pod, asked: string, mayDefault: boolean): string {
  const containers = (spec?.containers ?? []).map(({ name }) => name);
  const init = (spec?.initContainers ?? []).map(({ name }) => name);
  const ephemeral = (spec?.ephemeralContainers ?? []).map(({ name }) => name);
  if (asked) {
    if ([...containers, ...init, ...ephemeral].includes(asked)) return asked;
    throw new StatusError('BadRequest', `container ${asked} is not valid for pod ${metadata?.name}`);
  }
  const preferred = metadata?.annotations?.['kubectl.kubernetes.io/default-container'];
  if (containers.length === 1) return containers[0]!;
  if (mayDefault && preferred && containers.includes(preferred)) return preferred;
  const others = init.length ? ` or one of the init containers: [${init.join(' ')}]` : '';
  throw new StatusError(
    'BadRequest',
    `a container name must be specified for pod ${metadata?.name}, choose one of: [${containers.join(' ')}]${others}`,
  );
}

/** The same request, on the connection that was made to the kubelet; its answer. Throws `ServiceUnavailable`. */
async function ask(
  { request, signal }: Exchange,
  kubelet: Duplex,
  { path, node }: Destination,
): Promise<{ readonly answer: IncomingMessage; readonly sent: Promise<void> }> {
  const headers = passedOn(request.headersDistinct);
  const forwarded = httpRequest({
    method: request.method ?? 'GET',
    path,
    // The connection is made; host names are for its other end's logs.
    createConnection: () => kubelet,
    headers: { ...headers, ...(request.headers['transfer-encoding'] !== undefined && framing(headers)), host: node },
    signal,
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) =>
    forwarded.once('response', resolve).on('error', reject),
  );
  const sent = pipeline(request, forwarded).catch(() => undefined);
  const answer = await answered.catch((error: unknown) => {
    throw new StatusError('ServiceUnavailable', `error dialing backend: ${String(error)}`, { cause: error });
  });
  return { answer, sent };
}

async function forward(exchange: Exchange, kubelet: Duplex, destination: Destination): Promise<void> {
  const { answer, sent } = await ask(exchange, kubelet, destination);
  await Promise.all([sent, passBack(exchange, answer)]);
}

/** A log as messages of a WebSocket: apiserver `endpoints/handlers/responsewriters`, "StreamObject". */
async function logOverWebSocket(exchange: Exchange, kubelet: Duplex, destination: Destination): Promise<void> {
  const { request, response, upgrade, signal } = exchange;
  const protocol = chooseProtocol(request, readerProtocols) ?? '';
  if (request.headers['sec-websocket-protocol'] !== undefined && !protocol)
    throw new StatusError('BadRequest', 'no subprotocol of the client is served');
  const { answer } = await ask(exchange, kubelet, destination);
  if (answer.statusCode !== 200) throw new StatusError('BadRequest', await messageOf(answer));
  response.detachSocket(upgrade!.socket as Parameters<typeof response.detachSocket>[0]);
  const socket = await acceptWebSocket({ request, ...upgrade! }, protocol);
  const end = () => void kubelet.destroy();
  socket.on('close', end);
  try {
    await sendStream(socket, answer, protocol);
  } catch (error) {
    // The client left in the middle of a log.
    if (!signal.aborted && socket.readyState === socket.OPEN) throw error;
  } finally {
    end();
  }
}

/** What a kubelet's refusal says. */
async function messageOf(answer: IncomingMessage): Promise<string> {
  const said = await text(answer);
  try {
    return String((JSON.parse(said) as { readonly message?: unknown }).message);
  } catch {
    return said;
  }
}
