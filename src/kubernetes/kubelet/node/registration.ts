import { isDeepStrictEqual } from 'node:util';
import { type Clock, type Logger, messageOf, type Random } from '#base';
import type { ApiClient } from '../../client/client.ts';
import { leases, nodes } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type * as types from '../../types.ts';
import type { KubeletRecord } from '../ports.ts';
import { nodeStatus, type NodeFacts } from './status.ts';

/** How often a node gives a sign of life, how long it is believed, and how often it tells its status though nothing changed: the kubelet's own defaults. */
const [renewEveryMs, leaseSeconds, reportEveryMs, retryMs] = [10_000, 40, 300_000, 500] as const;
const leaseNamespace = 'kube-node-lease';

export interface RegistrationOptions {
  readonly node: KubeletRecord;
  readonly client: ApiClient;
  readonly architecture: string;
  readonly factsNow: () => Promise<NodeFacts>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Keeps a node's object, status and lease true until the signal. Resolves then; goes on through whatever the API server does. */
export async function keepRegistered(options: RegistrationOptions): Promise<void> {
  const { clock, random, logger, signal } = options;
  const registration = new Registration(options);
  while (!signal.aborted) {
    let pauseMs = renewEveryMs;
    try {
      await registration.renew();
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('the node could not be reported', { node: options.node.nodeName, error: messageOf(error) });
      pauseMs = retryMs * 2;
    }
    // A lease asks for a sign of life in time, not for an event.
    await clock.sleep(pauseMs * (0.96 + random.fraction() / 25), signal).catch(() => undefined);
  }
}

class Registration {
  readonly #options: RegistrationOptions;
  #reportedAt = 0;
  #uid: string | undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** One sign of life: the object, what it says, its lease. */
  async renew(): Promise<void> {
    const isNew = this.#uid === undefined;
    if (isNew) this.#uid = (await this.#register()).metadata?.uid;
    await Promise.all([this.#report(), this.#renewLease()]);
  }

  async #register(): Promise<types.Node> {
    const { node, client, signal } = this.#options;
    const { nodeName, providerId, taints } = node;
    const labels = this.#labels();
    try {
      return await client.create(
        nodes,
        {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: { name: nodeName, labels },
          spec: { providerID: providerId, ...(taints.length > 0 && { taints: [...taints] }) },
        },
        { signal },
      );
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
    }
    return await client.patch(nodes, { name: nodeName }, { kind: 'merge', body: { metadata: { labels } } }, { signal });
  }

  #labels(): { readonly [name: string]: string } {
    const { node, architecture } = this.#options;
    return {
      'kubernetes.io/hostname': node.nodeName,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': architecture,
      'topology.kubernetes.io/zone': node.zone,
      'topology.kubernetes.io/region': node.region,
      'failure-domain.beta.kubernetes.io/zone': node.zone,
      'failure-domain.beta.kubernetes.io/region': node.region,
      ...node.labels,
    };
  }

  async #report(): Promise<void> {
    const { node, client, clock, factsNow, signal } = this.#options;
    const facts = await factsNow();
    const name = { name: node.nodeName };
    let seen: types.Node;
    try {
      seen = await client.get(nodes, name, { signal });
    } catch (error) {
      // Somebody deleted it: it registers anew.
      if (isStatusError(error, 'NotFound')) this.#uid = undefined;
      throw error;
    }
    const status = nodeStatus(seen.status, facts);
    const isDue = clock.now() - this.#reportedAt >= reportEveryMs;
    if (!isDue && isSame(status, seen.status)) return;
    try {
      await client.update(nodes, { ...seen, status }, { subresource: 'status', signal });
      this.#reportedAt = clock.now();
    } catch (error) {
      // Somebody else wrote; the next look is near.
      if (!isStatusError(error, 'Conflict')) throw error;
      throw new Error('the node was changed meanwhile', { cause: error });
    }
  }

  async #renewLease(): Promise<void> {
    const { node, client, clock, signal } = this.#options;
    const { nodeName } = node;
    const spec = {
      holderIdentity: nodeName,
      leaseDurationSeconds: leaseSeconds,
      renewTime: `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`,
    };
    const name = { namespace: leaseNamespace, name: nodeName };
    try {
      await client.patch(leases, name, { kind: 'merge', body: { spec } }, { signal });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
      const owner = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: this.#uid ?? '' };
      const lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { ...name, ownerReferences: [owner] },
      };
      await client.create(leases, { ...lease, spec }, { signal });
    }
  }
}

/** Equal but for the times of heartbeats. */
function isSame(status: types.Node['status'], before: types.Node['status']): boolean {
  const bare = (each: types.Node['status']) => ({
    ...each,
    conditions: each?.conditions?.map((condition) => ({ ...condition, lastHeartbeatTime: '' })),
  });
  return isDeepStrictEqual(bare(status), bare(before));
}
