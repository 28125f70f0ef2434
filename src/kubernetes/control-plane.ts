/** A whole control plane in this process: the API server, the controllers and the scheduler beside it. */
import { messageOf } from '#base';
import type { UserInfo } from './auth/user.ts';
import { startCluster, type Cluster, type ClusterParts } from './cluster.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { controllersOf, runControllers } from './controllers/index.ts';
import { ensureDnsService } from './dns/service.ts';
import { eventRecorder } from './events.ts';
import { runScheduler } from './scheduler/index.ts';

/** A component of the control plane: named as upstream's is, and trusted with every right. */
const component = (name: string): UserInfo => ({
  username: `system:${name}`,
  groups: ['system:masters', 'system:authenticated'],
});

/** Starts everything; resolves when the API server answers. `stop` ends everything and waits for steps that are under way. */
export async function startControlPlane(settings: ClusterSettings, parts: ClusterParts): Promise<Cluster> {
  const cluster = await startCluster(settings, parts);
  await ensureDnsService(cluster.client, settings);
  const stopping = new AbortController();
  const { signal } = stopping;
  const logger = parts.logger.with({ cluster: settings.name });
  const partsOf = (name: string) => {
    const client = cluster.clientFor(component(name), name);
    const common = { client, informers: cluster.informers, clock: parts.clock, random: parts.random, logger };
    return { ...common, events: eventRecorder({ ...common, signal }, name) };
  };
  const manager = partsOf('kube-controller-manager');
  const running = Promise.all([
    runControllers(controllersOf(manager), manager, signal),
    runScheduler(partsOf('kube-scheduler'), signal),
  ]).catch((error: unknown) => logger.error('the control plane broke off', { error: messageOf(error) }));
  return {
    ...cluster,
    async stop() {
      stopping.abort();
      await running;
      await cluster.stop();
    },
  };
}
