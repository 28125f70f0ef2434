/** The host process: `node host-main.ts DATA_DIRECTORY`. */
import { slimHttp } from '#base';

// Imported without being run when the compile cache is filled.
if (import.meta.main) {
  slimHttp();
  const { runHost } = await import('./run-host.ts');
  await runHost(process.argv[2]);
}
