import { attachWebSocket } from './attach-websocket.ts';
import { pruneBuildCache } from './build-prune.ts';
import { buildImage } from './build.ts';
import {
  commitContainer,
  containerChanges,
  exportContainer,
  readArchive,
  statPath,
  writeArchive,
} from './container-files.ts';
import {
  attachContainer,
  createContainer,
  inspectContainer,
  killContainer,
  listContainers,
  pruneContainers,
  removeContainer,
  renameContainer,
  resizeContainer,
  restartContainer,
  startContainer,
  stopContainer,
  topContainer,
  waitContainer,
} from './containers.ts';
import { inspectDistribution } from './distribution.ts';
import { pauseContainer, unpauseContainer, updateContainer } from './container-state.ts';
import { diskUsage } from './disk-usage.ts';
import { streamEvents } from './events.ts';
import { createExec, inspectExec, resizeExec, startExec } from './exec.ts';
import {
  createImage,
  imageHistory,
  inspectImage,
  listAttestations,
  listImages,
  pushImage,
  removeImage,
  tagImage,
} from './images.ts';
import { loadImages, saveImage, saveImages } from './image-archive.ts';
import { pruneImages } from './image-prune.ts';
import { searchImages } from './image-search.ts';
import { containerLogs } from './logs.ts';
import {
  connectNetwork,
  createNetwork,
  disconnectNetwork,
  inspectNetwork,
  listNetworks,
  pruneNetworks,
  removeNetwork,
} from './networks.ts';
import { inspectPlugin, listPlugins } from './plugins.ts';
import type { Route } from './router.ts';
import { holdSession } from './session.ts';
import { containerStats } from './stats.ts';
import { authenticate, info, ping, version } from './system.ts';
import { createVolume, inspectVolume, listVolumes, pruneVolumes, removeVolume } from './volumes.ts';

/** Every operation of the Docker Engine API (its published description, v1.51), in its order. Those without a handler answer 501, or as `absent.ts` says. */
export const routes: readonly Route[] = [
  ['GET', '/containers/json', listContainers],
  ['POST', '/containers/create', createContainer],
  ['GET', '/containers/{id}/json', inspectContainer],
  ['GET', '/containers/{id}/top', topContainer],
  ['GET', '/containers/{id}/logs', containerLogs],
  ['GET', '/containers/{id}/changes', containerChanges],
  ['GET', '/containers/{id}/export', exportContainer],
  ['GET', '/containers/{id}/stats', containerStats],
  ['POST', '/containers/{id}/resize', resizeContainer],
  ['POST', '/containers/{id}/start', startContainer],
  ['POST', '/containers/{id}/stop', stopContainer],
  ['POST', '/containers/{id}/restart', restartContainer],
  ['POST', '/containers/{id}/kill', killContainer],
  ['POST', '/containers/{id}/update', updateContainer],
  ['POST', '/containers/{id}/rename', renameContainer],
  ['POST', '/containers/{id}/pause', pauseContainer],
  ['POST', '/containers/{id}/unpause', unpauseContainer],
  ['POST', '/containers/{id}/attach', attachContainer],
  ['GET', '/containers/{id}/attach/ws', attachWebSocket],
  ['POST', '/containers/{id}/wait', waitContainer],
  ['DELETE', '/containers/{id}', removeContainer],
  ['HEAD', '/containers/{id}/archive', statPath],
  ['GET', '/containers/{id}/archive', readArchive],
  ['PUT', '/containers/{id}/archive', writeArchive],
  ['POST', '/containers/prune', pruneContainers],
  ['GET', '/images/json', listImages],
  ['POST', '/build', buildImage],
  ['POST', '/build/prune', pruneBuildCache],
  ['POST', '/images/create', createImage],
  ['GET', '/images/{name…}/json', inspectImage],
  ['GET', '/images/{name…}/attestations', listAttestations],
  ['GET', '/images/{name…}/history', imageHistory],
  ['POST', '/images/{name…}/push', pushImage],
  ['POST', '/images/{name…}/tag', tagImage],
  ['GET', '/images/search', searchImages],
  ['POST', '/images/prune', pruneImages],
  ['GET', '/images/get', saveImages],
  ['GET', '/images/{name…}/get', saveImage],
  ['POST', '/images/load', loadImages],
  ['DELETE', '/images/{name…}', removeImage],
  ['POST', '/auth', authenticate],
  ['GET', '/info', info],
  ['GET', '/version', version],
  ['GET', '/_ping', ping],
  ['HEAD', '/_ping', ping],
  ['POST', '/commit', commitContainer],
  ['GET', '/events', streamEvents],
  ['GET', '/system/df', diskUsage],
  ['POST', '/containers/{id}/exec', createExec],
  ['POST', '/exec/{id}/start', startExec],
  ['POST', '/exec/{id}/resize', resizeExec],
  ['GET', '/exec/{id}/json', inspectExec],
  ['GET', '/volumes', listVolumes],
  ['POST', '/volumes/create', createVolume],
  ['GET', '/volumes/{name}', inspectVolume],
  ['PUT', '/volumes/{name}'],
  ['DELETE', '/volumes/{name}', removeVolume],
  ['POST', '/volumes/prune', pruneVolumes],
  ['GET', '/networks', listNetworks],
  ['GET', '/networks/{id}', inspectNetwork],
  ['DELETE', '/networks/{id}', removeNetwork],
  ['POST', '/networks/create', createNetwork],
  ['POST', '/networks/{id}/connect', connectNetwork],
  ['POST', '/networks/{id}/disconnect', disconnectNetwork],
  ['POST', '/networks/prune', pruneNetworks],
  ['GET', '/distribution/{name…}/json', inspectDistribution],
  ['POST', '/session', holdSession],
  // Swarm, plugins and what belongs to them: not dabba's business.
  ['GET', '/plugins', listPlugins],
  ['GET', '/plugins/privileges'],
  ['POST', '/plugins/pull'],
  ['GET', '/plugins/{name…}/json', inspectPlugin],
  ['DELETE', '/plugins/{name…}'],
  ['POST', '/plugins/{name…}/enable'],
  ['POST', '/plugins/{name…}/disable'],
  ['POST', '/plugins/{name…}/upgrade'],
  ['POST', '/plugins/create'],
  ['POST', '/plugins/{name…}/push'],
  ['POST', '/plugins/{name…}/set'],
  ['GET', '/nodes'],
  ['GET', '/nodes/{id}'],
  ['DELETE', '/nodes/{id}'],
  ['POST', '/nodes/{id}/update'],
  ['GET', '/swarm'],
  ['POST', '/swarm/init'],
  ['POST', '/swarm/join'],
  ['POST', '/swarm/leave'],
  ['POST', '/swarm/update'],
  ['GET', '/swarm/unlockkey'],
  ['POST', '/swarm/unlock'],
  ['GET', '/services'],
  ['POST', '/services/create'],
  ['GET', '/services/{id}'],
  ['DELETE', '/services/{id}'],
  ['POST', '/services/{id}/update'],
  ['GET', '/services/{id}/logs'],
  ['GET', '/tasks'],
  ['GET', '/tasks/{id}'],
  ['GET', '/tasks/{id}/logs'],
  ['GET', '/secrets'],
  ['POST', '/secrets/create'],
  ['GET', '/secrets/{id}'],
  ['DELETE', '/secrets/{id}'],
  ['POST', '/secrets/{id}/update'],
  ['GET', '/configs'],
  ['POST', '/configs/create'],
  ['GET', '/configs/{id}'],
  ['DELETE', '/configs/{id}'],
  ['POST', '/configs/{id}/update'],
];

/** Which operations are here, for the coverage table. */
export function dockerCoverage(): readonly { readonly operation: string; readonly isSupported: boolean }[] {
  return routes.map(([method, path, handler]) => ({
    operation: `${method} ${path}`,
    isSupported: handler !== undefined,
  }));
}
