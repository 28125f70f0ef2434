import { DabbaError } from '#base';
import type { Api } from './api.ts';
import { readRestartPolicy } from './container-create.ts';
import { checkProcessors, readResources } from './container-resources.ts';
import { findContainer } from './containers.ts';
import { readBody, sendJson, sendStatus, type Exchange } from './exchange.ts';

/** POST /containers/{id}/pause. */
export async function pauseContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  await api.engine.containers.pause(id);
  sendStatus(exchange, 204);
}

/** POST /containers/{id}/unpause. */
export async function unpauseContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  await api.engine.containers.unpause(id);
  sendStatus(exchange, 204);
}

/** POST /containers/{id}/update. */
export async function updateContainer(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findContainer(api, exchange);
  const body = await readBody(exchange);
  const resources = readResources(body);
  checkProcessors(resources, api.info.cpus);
  const restartPolicy = body.isGiven('RestartPolicy')
    ? (readRestartPolicy(body) ?? { name: 'no' as const })
    : undefined;
  if (Object.keys(resources).length === 0 && restartPolicy === undefined)
    throw new DabbaError('InvalidArgument', 'You must provide one or more flags when using this command.');
  const { warnings } = await api.engine.containers.update(id, { resources, ...(restartPolicy && { restartPolicy }) });
  sendJson(exchange, 200, { Warnings: warnings.length === 0 ? null : warnings });
}
