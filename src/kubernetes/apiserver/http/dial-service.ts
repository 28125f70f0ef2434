/** Connections from the API server to pods: through the kubelet of their node, as a port-forward, since the control plane is in no cluster's network. */
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { DialService } from '../../admission/webhooks/call.ts';
import type { Informers } from '../../client/informer.ts';
import type { ClusterPorts } from '../../cluster-settings.ts';
import { endpointSlices, services } from '../../resources.ts';
import { StatusError } from '../../status.ts';
import { portForwardProtocol } from '../../streaming/port-forward.ts';
import { SpdyConnection } from '../../streaming/spdy/connection.ts';
import type { EndpointSlice } from '../../types.ts';

export interface ServiceDialParts {
  readonly informers: Informers;
  readonly dialKubelet: ClusterPorts['dialKubelet'];
}

/** Goes to the first ready endpoint that is a pod. */
export function serviceDialer({ informers, dialKubelet }: ServiceDialParts): DialService {
  const slices = informers.of<EndpointSlice>(endpointSlices, {
    indexes: {
      service: ({ metadata }) => [`${metadata?.namespace}/${metadata?.labels?.['kubernetes.io/service-name']}`],
    },
  });
  const copies = informers.of(services);
  return async ({ namespace, name, port }, signal) => {
    await Promise.all([slices.synced(), copies.synced()]);
    const key = `${namespace}/${name}`;
    const service = copies.get(key);
    if (!service) throw unavailable(`service "${name}" not found`);
    const portName = service.spec?.ports?.find((one) => one.port === port)?.name ?? '';
    for (const slice of slices.by('service', key)) {
      const number = slice.ports?.find((one) => (one.name ?? '') === portName)?.port;
      const endpoint = slice.endpoints?.find(
        ({ conditions, targetRef, nodeName }) => conditions?.ready !== false && targetRef?.kind === 'Pod' && nodeName,
      );
      if (number && endpoint) {
        const kubelet = await dialKubelet(endpoint.nodeName!, signal);
        return forward(kubelet, { namespace, pod: endpoint.targetRef!.name!, port: number }, signal);
      }
    }
    throw unavailable(`no endpoints available for service "${name}"`);
  };
}

function unavailable(message: string): StatusError {
  return new StatusError('ServiceUnavailable', message);
}

interface Target {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** Asks for a port-forward and begins its one pair of streams; the stream's end is the connection's. */
async function forward(kubelet: Duplex, { namespace, pod, port }: Target, signal: AbortSignal): Promise<Duplex> {
  const wire = await upgraded(
    kubelet,
    `/portForward/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}`,
    signal,
  );
  const connection = new SpdyConnection(wire, { role: 'client', onStream: (stream) => stream.destroy() });
  const headers = (type: string) =>
    new Map([
      ['streamtype', type],
      ['port', String(port)],
      ['requestid', '0'],
    ]);
  const error = connection.createStream(headers('error'));
  const data = connection.createStream(headers('data'));
  // We say nothing on it; what it says is why there is no connection.
  error.end();
  error.once('data', (reason: Buffer) => data.destroy(new Error(reason.toString())));
  error.on('error', () => undefined);
  data.once('close', () => connection.destroy());
  return data;
}

function upgraded(kubelet: Duplex, path: string, signal: AbortSignal): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const asking = request({
    createConnection: () => kubelet,
    method: 'POST',
    path,
    signal,
    headers: {
      Host: 'kubelet',
      Connection: 'Upgrade',
      Upgrade: 'SPDY/3.1',
      'X-Stream-Protocol-Version': portForwardProtocol,
    },
  });
  asking.once('upgrade', (_response, socket, head) => {
    if (head.length) socket.unshift(head);
    resolve(socket);
  });
  asking.once('response', (response) => {
    response.resume();
    kubelet.destroy();
    reject(unavailable(`the kubelet answered ${response.statusCode} to a port-forward`));
  });
  asking.once('error', reject);
  asking.end();
  return promise;
}
