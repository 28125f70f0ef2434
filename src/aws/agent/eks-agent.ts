import type { Clock } from '#base';
import type { KubeletRecord } from '#kubernetes/kubelet';
import { JsonClient } from './json-client.ts';
import { registryCredentials } from './registry-credentials.ts';
import { RoleCredentials } from './role-credentials.ts';
import type { Credentials } from './signed-request.ts';

export interface EksAgentOptions {
  /** Base URL of the AWS endpoint, `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** Sessions of nodes' roles; the control plane gives them. Throws `DabbaError` when this machine is no such node. */
  readonly nodeCredentials: (nodeId: string, signal: AbortSignal) => Promise<Credentials>;
  readonly clock: Clock;
}

/** What a node of EKS does in the name of its own role. */
export interface EksAgent {
  /** Credentials for pulling an image from a private ECR repository; undefined for every other registry. */
  pullCredentials(
    node: KubeletRecord,
    image: string,
    signal: AbortSignal,
  ): Promise<{ readonly username: string; readonly password: string } | undefined>;
}

export function createEksAgent({ endpoint, nodeCredentials, clock }: EksAgentOptions): EksAgent {
  const client = new JsonClient(endpoint, clock);
  const roles = new RoleCredentials((nodeId, _role, signal) => nodeCredentials(nodeId, signal), clock);
  return {
    pullCredentials: async (node, image, signal) =>
      await registryCredentials(image, { client, signal, credentials: () => roles.execution(node.id, signal) }),
  };
}
