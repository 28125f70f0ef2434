/** One Kubernetes cluster's control plane: its API server, what must be in it from the start, and the controllers that keep it going. */
import { type Clock, type Logger, messageOf, type Random } from '#base';
import type { Store } from '#store';
import { createFrontProxy, publishFrontProxy } from './apiserver/aggregation/front-proxy.ts';
import { remoteReader } from './apiserver/aggregation/reader.ts';
import { RemoteApis } from './apiserver/aggregation/remote-apis.ts';
import { Catalog, servedResources } from './apiserver/catalog.ts';
import { serviceDialer } from './apiserver/http/dial-service.ts';
import { RequestCounts } from './apiserver/http/metrics.ts';
import { type Listener, listen } from './apiserver/http/listener.ts';
import type { ApiParts } from './apiserver/parts.ts';
import { bootstrapFlowControl } from './apiserver/flow/bootstrap.ts';
import { FlowControl } from './apiserver/flow/flow-control.ts';
import { followDefinitions } from './apiserver/custom/establish.ts';
import { merging } from './apiserver/merging.ts';
import { UsageCollector } from './apiserver/metrics/collector.ts';
import { metricsRows } from './apiserver/metrics/rows.ts';
import { builtInRows } from './apiserver/registry/index.ts';
import { clusterPrefix, registryPrefix } from './apiserver/storage/keys.ts';
import { Lifetimes } from './apiserver/storage/lifetimes.ts';
import { RegistryFeed } from './apiserver/storage/registry-feed.ts';
import { admissionChain } from './admission/chain.ts';
import { createAuthentication } from './auth/authenticate.ts';
import { createAuthorization } from './auth/authorization.ts';
import { createServerCertificate } from './auth/certificates.ts';
import { bootstrapAccess } from './auth/rbac/bootstrap.ts';
import { rbacEscalation } from './auth/rbac/escalation.ts';
import { createServiceAccountTokens } from './auth/service-account-tokens.ts';
import type { UserInfo } from './auth/user.ts';
import { bootstrapObjects, publishAddress } from './bootstrap.ts';
import type { ApiClient } from './client/client.ts';
import type { Informers } from './client/informer.ts';
import type { ServedResources } from './client/served-resources.ts';
import { LocalClient } from './client/local-client.ts';
import { localInformers } from './client/local-informers.ts';
import type { ClusterPorts, ClusterSettings } from './cluster-settings.ts';
import { alsoTo } from './control-plane-logs.ts';
import { ensureDnsService } from './dns/service.ts';
import { eventRecorder } from './events.ts';
import { loadSchemas } from './schema/load.ts';
import { validatorFor } from './validation/validators.ts';

export interface ClusterParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly ports: ClusterPorts;
  /** What runs beside the API server. Default: all. */
  readonly components?: readonly Component[];
}

export type Component = 'controllers' | 'scheduler';

export interface Cluster {
  /** Acts with every right, in process. */
  readonly client: ApiClient;
  /** Copies that hold a change before the write that made it is answered. */
  readonly informers: Informers;
  readonly resources: ServedResources;
  /** A client of some user's, in process. */
  clientFor(user: UserInfo, fieldManager: string): ApiClient;
  /** The loopback port of the API server. */
  readonly port: number;
  /** Ends every connection, controller and cache; nothing stored changes. Idempotent. */
  stop(): Promise<void>;
}

const system: UserInfo = { username: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

/** Starts the control plane of a cluster, new or known. Resolves when the API server listens and holds what every cluster does. */
export async function startCluster(settings: ClusterSettings, parts: ClusterParts): Promise<Cluster> {
  const stopping = new AbortController();
  const { logs } = parts.ports;
  const own = parts.logger.with({ cluster: settings.name });
  const logger = alsoTo(logs, 'api', own, () => parts.clock.now());
  const feed = new RegistryFeed({
    store: parts.store,
    prefix: registryPrefix(settings),
    clock: parts.clock,
    logger,
    signal: stopping.signal,
  });
  await feed.start();
  const api = await apiParts(settings, { ...parts, logger, feed, signal: stopping.signal });
  const certificate = await createServerCertificate(
    settings.ca,
    { commonName: 'kube-apiserver', names: serverNames(settings) },
    parts,
  );
  await bootstrapAccess(api.admin, stopping.signal);
  // What is written in one turn is one record of the store's journal.
  await Promise.all([
    bootstrapObjects(api.admin, settings),
    bootstrapFlowControl(api.admin),
    publishFrontProxy(api.admin, api.frontProxy, settings.ca.certificatePem),
    ensureDnsService(api.admin, settings),
  ]);
  await api.flowControl.synced();
  await followDefinitions({ ...parts, api, dialService: api.dialService, logger, signal: stopping.signal });
  api.remoteApis.start();
  const listener = await listen(api, {
    port: settings.port,
    ...certificate,
    clientAuthorityPem: settings.ca.certificatePem,
  });
  await publishAddress(api.admin, listener.port);
  const leaving = new AbortController();
  logger.info('the API server serves', { port: listener.port });
  const running = runComponents(api, { ...parts, logger: own, authority: settings.ca }, leaving.signal);
  return {
    client: api.admin,
    informers: api.informers,
    resources: servedResources(api.catalog),
    clientFor: (user, fieldManager) => new LocalClient(() => api, { user, fieldManager }),
    port: listener.port,
    stop: stopOnce({ leaving, running, stopping, listener }),
  };
}

/** Resolves when all have let go after the signal. */
async function runComponents(
  api: ApiParts,
  {
    authority,
    ports,
    logger: own,
    components = ['controllers', 'scheduler'],
  }: ClusterParts & { readonly authority: ClusterSettings['ca'] },
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, informers } = api;
  const clientOf = (user: UserInfo, fieldManager: string) => new LocalClient(() => api, { user, fieldManager });
  const logOf = { controllers: 'controllerManager', scheduler: 'scheduler' } as const;
  const partsOf = (name: string, component: Component) => {
    const logger = alsoTo(ports.logs, logOf[component], own, () => clock.now());
    logger.info('a component of the control plane starts', { component: name });
    const user = { username: `system:${name}`, groups: ['system:authenticated'] };
    const common = { client: clientOf(user, name), clock, random, logger };
    return {
      ...common,
      informers,
      resources: servedResources(api.catalog),
      events: eventRecorder({ ...common, signal }, name),
    };
  };
  const runs: { readonly [Name in Component]: () => Promise<void> } = {
    async controllers() {
      const { localServicesController } = await import('./apiserver/aggregation/local-services.ts');
      const { flowControlController } = await import('./apiserver/flow/controller.ts');
      const { controllersOf, runControllers } = await import('./controllers/index.ts');
      const { accessControllers } = await import('./auth/controllers/index.ts');
      const { admissionControllers } = await import('./admission/controllers.ts');
      const { userOfController } = await import('./controllers/accounts.ts');
      const manager = 'kube-controller-manager';
      const parts = {
        ...partsOf(manager, 'controllers'),
        clientOf: (controller: string) => clientOf(userOfController(controller), manager),
        remoteOf: (controller: string) => remoteReader(api, userOfController(controller)),
      };
      const access = accessControllers({ ...parts, authority, authorizer: api.authorization, tokens: api.tokens });
      await Promise.all([
        runControllers([...controllersOf(parts, ports), ...access, ...admissionControllers(parts)], parts, signal),
        // The API server's own.
        runControllers(
          [flowControlController(parts), localServicesController({ ...parts, catalog: api.catalog })],
          { ...parts, clientOf: () => api.admin },
          signal,
        ),
      ]);
    },
    async scheduler() {
      const { runScheduler } = await import('./scheduler/index.ts');
      await runScheduler(partsOf('kube-scheduler', 'scheduler'), signal);
    },
  };
  await Promise.all(
    components.map((name) =>
      runs[name]().catch((error: unknown) =>
        own.error('a component of a cluster failed', { component: name, error: messageOf(error) }),
      ),
    ),
  );
}

interface Stopping {
  /** Ends the components; `running` resolves when they have let go. */
  readonly leaving: AbortController;
  readonly running: Promise<void>;
  /** Ends the caches. */
  readonly stopping: AbortController;
  readonly listener: Listener;
}

/** Components first: the last writes of their steps are answered only while there are caches to see them. */
function stopOnce({ leaving, running, stopping, listener }: Stopping): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () =>
    (stopped ??= (async () => {
      leaving.abort();
      await running;
      stopping.abort();
      await listener.close();
    })());
}

function serverNames({ serverNames, domain, serviceCidr }: ClusterSettings): readonly string[] {
  const service = serviceCidr.replace(/\.\d+\/\d+$/, '.1');
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${domain}`];
  return [...new Set([...serverNames, ...names, 'localhost', '127.0.0.1', service])];
}

interface Made extends ClusterParts {
  readonly feed: RegistryFeed;
  readonly signal: AbortSignal;
}

async function apiParts(
  settings: ClusterSettings,
  { store, clock, random, logger, ports, feed, signal }: Made,
): Promise<ApiParts> {
  const schemas = await loadSchemas({ logger });
  const partsOf = () => api;
  const admin = new LocalClient(partsOf, { user: system, fieldManager: 'kube-apiserver' });
  const dialKubelet: ClusterPorts['dialKubelet'] = (node, signal) => ports.dialKubelet(node, signal);
  const catalog = new Catalog(builtInRows);
  const informers = localInformers({ feed, catalog, logger });
  const authorization = createAuthorization({ informers, authorizers: ports.authorizers });
  const collector = new UsageCollector({ dialKubelet, informers, clock, logger });
  for (const row of metricsRows(collector, informers)) catalog.put(row);
  const tokens = createServiceAccountTokens({
    key: settings.serviceAccountKey,
    issuer: settings.issuer,
    client: admin,
    clock,
    random,
  });
  const frontProxy = await createFrontProxy({ clock, random });
  const dialService = serviceDialer({ informers, dialKubelet });
  const api: ApiParts = {
    dialService,
    frontProxy,
    remoteApis: new RemoteApis({
      client: admin,
      informers,
      dialService,
      frontProxy,
      clock,
      random,
      logger,
      signal,
    }),
    store,
    feed,
    lifetimes: new Lifetimes(store, clock),
    clock,
    random,
    logger,
    logs: ports.logs,
    prefix: clusterPrefix(settings),
    serviceCidr: settings.serviceCidr,
    catalog,
    informers,
    authorization,
    authentication: createAuthentication({
      serviceAccountTokens: tokens,
      tokenAuthenticators: ports.tokenAuthenticators,
    }),
    tokens,
    admin,
    admission: admissionChain({
      client: admin,
      informers,
      authorizer: authorization,
      clock,
      random,
      first: [rbacEscalation({ authorizer: authorization, rbac: authorization.rbac })],
      external: ports.admissionPlugins,
      resources: () => servedResources(catalog),
      dialService,
    }),
    validatorOf: validatorFor,
    counts: new RequestCounts(),
    flowControl: new FlowControl({ informers, clock }),
    dialKubelet,
    schemas,
    merge: merging,
  };
  return api;
}
