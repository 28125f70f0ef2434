import type { Api } from './api.ts';
import { sendJson, type Exchange } from './exchange.ts';

/** GET /volumes: those with a name that containers use. The engine's port does not tell of others. */
export async function listVolumes({ engine }: Api, exchange: Exchange): Promise<void> {
  const containers = await engine.containers.list();
  const names = containers.flatMap(({ create }) =>
    (create.mounts ?? []).flatMap((mount) => (mount.kind === 'volume' && mount.name !== '' ? mount.name : [])),
  );
  const Volumes = [...new Set(names)]
    .sort()
    .map((Name) => ({ Name, Driver: 'local', Mountpoint: '', Scope: 'local', Labels: null, Options: null }));
  sendJson(exchange, 200, { Volumes, Warnings: null });
}
