import { type Clock, isDabbaError, type Logger, messageOf } from '#base';
import type { Informers } from '../../client/informer.ts';
import type { ClusterPorts } from '../../cluster-settings.ts';
import { nodes } from '../../resources.ts';
import { getFromKubelet } from './kubelet-get.ts';

/** Counters of something at one instant: `stats/v1alpha1`. */
interface Counters {
  readonly cpu?: { readonly time: string; readonly usageCoreNanoSeconds?: number };
  readonly memory?: { readonly workingSetBytes?: number };
}

interface Summary {
  readonly node: Counters & { readonly nodeName: string };
  readonly pods: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string; readonly uid: string };
    readonly containers: readonly (Counters & { readonly name: string; readonly startTime: string })[];
  }[];
}

/** What something uses, over a window that ends at `at`. */
export interface Usage {
  readonly at: number;
  readonly windowMs: number;
  readonly nanoCores: number;
  readonly memoryBytes: number;
}

export interface PodUsage {
  readonly namespace: string;
  readonly name: string;
  readonly containers: readonly { readonly name: string; readonly usage: Usage }[];
}

export interface NodeUsage {
  readonly name: string;
  readonly usage: Usage;
  readonly pods: readonly PodUsage[];
}

/** Two looks this far apart make a rate. */
const SHORTEST_WINDOW_MS = 1000;
/** A look older than this says nothing of now. */
const LONGEST_WINDOW_MS = 60_000;

interface Look {
  readonly at: number;
  readonly summary: Summary;
}

export interface CollectorParts {
  readonly dialKubelet: ClusterPorts['dialKubelet'];
  readonly informers: Informers;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What nodes and pods use: asked of the kubelets when somebody wants to know, and not otherwise. */
export class UsageCollector {
  readonly #parts: CollectorParts;
  /** By node: the look that the next is compared with. */
  readonly #looks = new Map<string, Look>();
  #collecting: Promise<readonly NodeUsage[]> | undefined;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
  }

  /** Of the nodes that answer. */
  collect(): Promise<readonly NodeUsage[]> {
    return (this.#collecting ??= this.#collect().finally(() => (this.#collecting = undefined)));
  }

  async #collect(): Promise<readonly NodeUsage[]> {
    const copy = this.#parts.informers.of(nodes);
    await copy.synced();
    const names = copy.list().flatMap(({ metadata }) => metadata?.name ?? []);
    for (const name of this.#looks.keys()) if (!names.includes(name)) this.#looks.delete(name);
    const found = await Promise.all(names.map((name) => this.#node(name)));
    return found.flatMap((usage) => usage ?? []);
  }

  async #node(name: string): Promise<NodeUsage | undefined> {
    const { clock, logger } = this.#parts;
    try {
      const now = clock.now();
      const last = this.#looks.get(name);
      const isRecent = last !== undefined && now - last.at <= LONGEST_WINDOW_MS;
      const before = isRecent ? last : await this.#look(name);
      const wait = SHORTEST_WINDOW_MS - (clock.now() - before.at);
      // A timer: a rate is a difference over time, and time has to pass.
      if (wait > 0) await clock.sleep(wait);
      const after = await this.#look(name);
      this.#looks.set(name, after);
      return usageBetween(name, before, after);
    } catch (error) {
      if (!isDabbaError(error)) throw error;
      logger.info('a kubelet told nothing of what it uses', { node: name, error: messageOf(error) });
      return undefined;
    }
  }

  async #look(node: string): Promise<Look> {
    const { dialKubelet, clock } = this.#parts;
    const signal = AbortSignal.timeout(5000);
    // A kubelet answers what its API says; it is part of the cluster.
    const summary = (await getFromKubelet(dialKubelet, { node, path: '/stats/summary', signal })) as Summary;
    return { at: clock.now(), summary };
  }
}

function usageBetween(name: string, { summary: before }: Look, { summary: after }: Look): NodeUsage | undefined {
  const usage = rate(before.node, after.node);
  if (!usage) return undefined;
  const old = new Map(
    before.pods.flatMap((pod) => pod.containers.map((one) => [`${pod.podRef.uid}/${one.name}/${one.startTime}`, one])),
  );
  const pods = after.pods.map(({ podRef, containers }) => ({
    namespace: podRef.namespace,
    name: podRef.name,
    containers: containers.flatMap((one) => {
      const was = old.get(`${podRef.uid}/${one.name}/${one.startTime}`);
      const used = was && rate(was, one);
      return used ? { name: one.name, usage: used } : [];
    }),
  }));
  return { name, usage, pods: pods.filter(({ containers }) => containers.length > 0) };
}

function rate(before: Counters, after: Counters): Usage | undefined {
  const [from, to] = [before.cpu?.usageCoreNanoSeconds, after.cpu?.usageCoreNanoSeconds];
  if (from === undefined || to === undefined) return undefined;
  const at = Date.parse(after.cpu!.time);
  const windowMs = Math.max(at - Date.parse(before.cpu!.time), SHORTEST_WINDOW_MS);
  return {
    at,
    windowMs,
    nanoCores: Math.max(0, Math.round(((to - from) / windowMs) * 1000)),
    memoryBytes: after.memory?.workingSetBytes ?? 0,
  };
}
