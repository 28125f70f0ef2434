/** What a cluster asks of the room above: who callers are, what access policies give them, what is put into pods, where kubelets answer. */
import type { Duplex } from 'node:stream';
import { DabbaError, isoSeconds } from '#base';
import {
  isStatusError,
  resources,
  type ApiClient,
  type ClusterPorts,
  type TokenAuthenticator,
  type UserInfo,
} from '#kubernetes';
import { privateDnsName } from '../../ec2/index.ts';
import type { ServiceBalancers } from '../../elbv2/index.ts';
import { clusterId, idIn } from '../names.ts';
import type { ClusterRecord } from '../records.ts';
import type { RunningClusters } from '../running-clusters.ts';
import type { EksState } from '../state.ts';
import { accessAuthorizer } from './access-authorizer.ts';
import { readAuthMap, type AuthMap } from './auth-map.ts';
import type { CallerTokens } from './caller-token.ts';
import { clusterUser } from './cluster-users.ts';
import { fargatePods } from './fargate-pods.ts';
import type { LogDeliveries, LogDelivery } from './log-delivery.ts';
import { loadBalancersOf } from './load-balancers.ts';
import { podCredentials } from './pod-credentials.ts';

/** A connection to a kubelet's server on its machine. Throws `Unavailable`. */
export type KubeletDialer = (
  kubelet: { readonly machineId: string; readonly id: string },
  signal: AbortSignal,
) => Promise<Duplex>;

export interface PortParts {
  readonly state: EksState;
  readonly clusters: RunningClusters;
  readonly callers: CallerTokens;
  readonly dialKubelet: KubeletDialer;
  /** Where control planes' logs go; without it, nowhere. */
  readonly logs?: LogDeliveries | undefined;
  /** Load balancers of the account; without them, services that ask for one wait. */
  readonly balancers?: ServiceBalancers | undefined;
}

export function portsOf(parts: PortParts, record: ClusterRecord): ClusterPorts {
  const { state, clusters } = parts;
  const key = clusterId(record, record.name);
  const client = (): ApiClient => {
    const running = clusters.get(key, record.id);
    if (!running) throw new DabbaError('Unavailable', `cluster ${record.name} is not up yet`);
    return running.client;
  };
  const logs = parts.logs?.of(record);
  return {
    tokenAuthenticators: [callerAuthenticator({ ...parts, logs }, record, client)],
    authorizers: [accessAuthorizer(state, record)],
    admissionPlugins: [
      fargatePods(state, record),
      podCredentials({
        state,
        cluster: record,
        serviceAccount: async (name) => await client().get(resources.serviceAccounts, name),
      }),
    ],
    ...(logs && { logs }),
    ...(parts.balancers && { loadBalancers: loadBalancersOf({ state, balancers: parts.balancers }, record) }),
    async dialKubelet(nodeName, signal) {
      const nodes = await state.nodes.list(idIn({ ...record, cluster: record.name }, ''));
      const node = nodes.find(({ value }) => value.nodeName === nodeName);
      if (!node) throw new DabbaError('Unavailable', `no kubelet runs the node ${nodeName}`);
      return await parts.dialKubelet(node.value, signal);
    },
  };
}

function callerAuthenticator(
  { state, callers, logs }: Pick<PortParts, 'state' | 'callers'> & { readonly logs: LogDelivery | undefined },
  record: ClusterRecord,
  client: () => ApiClient,
): TokenAuthenticator {
  const key = clusterId(record, record.name);
  return {
    name: 'aws-iam',
    async authenticate(token, _signal, origin) {
      const principal = await callers.verify(token, record.name, origin);
      // What may have changed since the cluster came up: its mode, and whether it is there.
      const current = principal && (await state.clusters.get(key));
      if (!principal || current?.value.id !== record.id) return undefined;
      const parts = {
        state,
        authMap: () => authMapOf(client()),
        async instanceName(instanceId: string) {
          const instance = await state.instances.find(record, instanceId);
          return instance && privateDnsName(record.region, instance.value.privateIp);
        },
      };
      const user = await clusterUser(parts, current.value, principal);
      const arn = principal.kind === 'anonymous' ? '' : principal.arn;
      logs?.write('authenticator', verdictLine(state.clock.now(), arn, user));
      return user;
    },
  };
}

/** As aws-iam-authenticator says it. */
function verdictLine(now: number, arn: string, user: UserInfo | undefined): string {
  const time = isoSeconds(now);
  if (!user) return `time="${time}" level=warning msg="access denied" arn="${arn}" error="Identity is not mapped"`;
  const { uid, username, groups } = user;
  return `time="${time}" level=info msg="access granted" arn="${arn}" groups="[${groups.join(' ')}]" method=POST path=/authenticate uid="${uid}" username="${username}"`;
}

async function authMapOf(client: ApiClient): Promise<AuthMap | undefined> {
  try {
    return readAuthMap(await client.get(resources.configMaps, { namespace: 'kube-system', name: 'aws-auth' }));
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return undefined;
    throw error;
  }
}
