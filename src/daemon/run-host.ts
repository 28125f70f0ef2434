import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { jsonLogger, messageOf, systemClock } from '#base';
import { connectRemoteStore } from '#store';
import { announcer } from './announcer.ts';
import { composeHost } from './host.ts';
import { claimProcessFile } from './process-file.ts';
import { makeRuntimeDirectory } from './runtime-directory.ts';
import { layoutOf, rememberedSettings, resolveSettings, type Layout } from './settings.ts';
import { serveSocket } from './socket-api.ts';

/** The host process, crash-only: all truth is on disk, and a start is a rescan. */
export async function runHost(data: string | undefined): Promise<void> {
  const layout = layoutOf(data);
  const announce = announcer(() => undefined);
  const held = new DisposableStack();
  try {
    await run(layout, held);
    announce.ready();
  } catch (error) {
    held.dispose();
    announce.failed(messageOf(error));
    throw error;
  }
}

async function run(layout: Layout, held: DisposableStack): Promise<void> {
  const settings = resolveSettings({}, rememberedSettings(layout));
  const logger = jsonLogger(
    (line) => process.stderr.write(line),
    () => systemClock.now(),
    { process: 'host' },
  );

  held.use(makeRuntimeDirectory(layout.runtime));
  held.use(claimProcessFile(layout.hostPidFile));
  const store = connectRemoteStore({ client: hostname(), socketPath: layout.storeSocket, clock: systemClock, logger });
  const host = composeHost(layout, settings, store, logger);

  const leave = async (how: 'stop' | 'destroy') => {
    await host[how]();
    await store.close();
    held.dispose();
    process.exit(0);
  };
  // A restart of the machine's service lets go; only `dabba down` ends what runs.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void leave('stop'));
  process.on('SIGPIPE', () => undefined);

  await host.start();
  await serveSocket(layout.hostSocket, {
    'GET /status': async () => await host.status(),
    'POST /reset': async () => await host.reset(),
    'POST /down': async () => {
      await host.destroy();
      // The answer leaves first.
      setImmediate(() => {
        held.dispose();
        process.exit(0);
      });
      return {};
    },
  });
  logger.info('host is ready');
  // Written at exit otherwise, which a killed host never comes to.
  flushCompileCache();
}
