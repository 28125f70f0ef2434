import { hostname } from 'node:os';
import { createEksAgent } from '#aws/agent';
import type { Eks } from '#aws';
import { systemClock } from '#base';
import type { NodeServices, PodIdentity } from '#kubernetes/kubelet';
import type { NetworkInterface } from '#network';
import type { Layout } from './settings.ts';
import { callSocket } from './socket-api.ts';

/** What kubelets of this machine ask of EKS, over the control socket; `node-routes.ts` answers. */
export function nodeServices(layout: Layout, endpoint: string): NodeServices {
  const call = async (methodAndPath: string, query: { readonly [name: string]: string }, signal: AbortSignal) => {
    const text = new URLSearchParams({ machine: hostname(), ...query });
    return await callSocket(layout.controlSocket, `${methodAndPath}?${text}`, { signal });
  };
  const agent = createEksAgent({
    endpoint,
    clock: systemClock,
    // The control plane answers what `Eks.nodeCredentials` gives.
    nodeCredentials: async (node, signal) =>
      (await call('GET /node-credentials', { node }, signal)) as Awaited<ReturnType<Eks['nodeCredentials']>>,
  });
  const named = ({ node, namespace, name, uid, serviceAccount }: PodIdentity) => ({
    node: node.id,
    tenant: node.tenant,
    region: node.region,
    namespace,
    name,
    uid,
    serviceAccount,
  });
  return {
    // The control plane answers what `Eks.assignPodAddress` gives.
    assignAddress: async (pod, signal) => (await call('PUT /pod-address', named(pod), signal)) as NetworkInterface,
    releaseAddress: async (pod, signal) => void (await call('DELETE /pod-address', named(pod), signal)),
    pullCredentials: async (node, image, signal) => await agent.pullCredentials(node, image, signal),
  };
}
