/** Connections from the API server to the servers behind a cluster's services, as its webhooks are. */
import type { DialService } from '../../admission/webhooks/call.ts';
import type { Informers } from '../../client/informer.ts';
import type { ClusterPorts } from '../../cluster-settings.ts';
import { endpointSlices, services } from '../../resources.ts';
import { StatusError } from '../../status.ts';
import type { EndpointSlice } from '../../types.ts';
import { dialPod } from './dial-pod.ts';

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
      if (!number || !endpoint) continue;
      const place = { node: endpoint.nodeName!, namespace, pod: endpoint.targetRef!.name! };
      return dialPod(dialKubelet, { ...place, port: number, isTls: false }, signal);
    }
    throw unavailable(`no endpoints available for service "${name}"`);
  };
}

function unavailable(message: string): StatusError {
  return new StatusError('ServiceUnavailable', message);
}
