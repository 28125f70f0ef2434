/** The control plane: store, AWS edge, registry, reconcilers. The one place where its adapters are named. */
import { mkdirSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { jsonLogger, messageOf, systemClock } from '#base';
import { nodeRecords } from '#node';
import { runReconcilers } from '#reconcile';
import { forgetOldRevisions, serveRemoteStore, type Store } from '#store';
import { announcer, type Announcer } from './announcer.ts';
import { composeCloud, type Cloud } from './cloud.ts';
import { gallery } from './gallery.ts';
import { superviseHost } from './host-process.ts';
import { listen } from './listener.ts';
import { nodeRoutes } from './node-routes.ts';
import { ownRoutes } from './own-routes.ts';
import { claimProcessFile } from './process-file.ts';
import { mayAccess } from './rights.ts';
import { makeRuntimeDirectory } from './runtime-directory.ts';
import { rememberSettings, type Layout, type Settings } from './settings.ts';
import { serveSocket, type SocketCall } from './socket-api.ts';
import type { ControlStatus } from './status.ts';
import { serveVpcServices } from './vpc-services.ts';

/** How long the host may take to be ready before a start counts as failed. */
const READY_TIMEOUT_MS = 60_000;
/** How long old revisions stay readable: what a watch may be behind. */
const HISTORY_MS = 5 * 60_000;

export async function runControlPlane(layout: Layout, settings: Settings): Promise<void> {
  const announce = announcer((facts) => process.stdout.write(`dabba is up: ${facts.join(', ')}\n`));
  try {
    await run(layout, settings, announce);
  } catch (error) {
    announce.failed(messageOf(error));
    throw error;
  }
}

async function run(layout: Layout, settings: Settings, announce: Announcer): Promise<void> {
  const startedAt = systemClock.now();
  const logger = jsonLogger(
    (line) => process.stderr.write(line),
    () => systemClock.now(),
    { process: 'control' },
  );
  await using held = new AsyncDisposableStack();
  held.use(makeRuntimeDirectory(layout.runtime));
  for (const directory of [layout.data, join(layout.data, 'log')])
    mkdirSync(directory, { recursive: true, mode: 0o711 });
  held.use(claimProcessFile(layout.controlPidFile));
  const cloud = await composeCloud(layout, settings, logger);
  held.defer(async () => await cloud.close());
  const own = ownRoutes({ layout, settings, cloud, logger });
  const server = await listen(settings.port, {
    aws: (request, response) => cloud.aws(request, response),
    registry: (request, response) => cloud.registry(request, response),
    own,
  });
  held.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  held.use(
    await serveVpcServices(layout.vpcServicesSocket, {
      aws: (...call) => cloud.aws(...call),
      metadata: cloud.metadata,
    }),
  );
  rememberSettings(layout, settings);
  held.use(
    await serveRemoteStore({
      store: cloud.store,
      socketPath: layout.storeSocket,
      authorize: mayAccess,
      logger,
    }),
  );

  const host = superviseHost(layout, { clock: systemClock, logger });
  held.defer(() => host.letGo());
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = Promise.all([
    runReconcilers({ ...cloud.reconciling, signal }),
    forgetOldRevisions({ store: cloud.store, clock: systemClock, logger, keepMs: HISTORY_MS, signal }),
  ]);
  const left = Promise.withResolvers<'destroy' | 'let go'>();
  const downDone = Promise.withResolvers<void>();
  held.use(
    await serveSocket(
      layout.controlSocket,
      controlRoutes({
        cloud,
        startedAt,
        askToLeave: async () => {
          left.resolve('destroy');
          await downDone.promise;
        },
      }),
    ),
  );
  // Ctrl-C takes everything down; SIGTERM, as a service manager sends it, lets go: what runs goes on, and the next start adopts it.
  process.once('SIGINT', () => left.resolve('destroy'));
  process.once('SIGTERM', () => left.resolve('let go'));
  await host.ready(AbortSignal.timeout(READY_TIMEOUT_MS));
  announce.ready(`AWS endpoint http://127.0.0.1:${settings.port}`, `docker unix://${layout.dockerSocket}`);
  logger.info('dabba is ready', { port: settings.port, data: layout.data, startMs: systemClock.now() - startedAt });

  // Written at exit otherwise, which a killed daemon never comes to.
  flushCompileCache();

  const how = await left.promise;
  stopping.abort();
  await running;
  if (how === 'destroy') await host.takeDown();
  else host.letGo();
  downDone.resolve();
}

/** What the `dabba` command and the host ask over the control socket. */
function controlRoutes({
  cloud,
  startedAt,
  askToLeave,
}: {
  readonly cloud: Cloud;
  readonly startedAt: number;
  readonly askToLeave: () => Promise<void>;
}) {
  const images = gallery(cloud);
  return {
    'GET /status': async (): Promise<ControlStatus> => ({
      startedAt,
      sandboxes: await sandboxesOf(cloud.store),
      clusters: await cloud.eks.summary(),
    }),
    'GET /clusters': () => cloud.eks.access(),
    'POST /down': askToLeave,
    'GET /credentials': async ({ query }: SocketCall) =>
      await cloud.taskCredentials(query.get('task') ?? '', query.get('role') === 'task' ? 'task' : 'execution'),
    ...nodeRoutes(cloud.eks),
    'GET /gallery': () => images.list(),
    'POST /gallery': (call: SocketCall) => images.publish(call),
  };
}

async function sandboxesOf(store: Store): Promise<ControlStatus['sandboxes']> {
  const { specs, statuses } = nodeRecords(store);
  const identities = new Map((await specs.list()).map(({ id, value }) => [id, value.identity]));
  return (await statuses.list()).map(({ id, value }) => ({
    id: value.id,
    phase: value.phase,
    identity: identities.get(id) ?? '',
  }));
}
