export { createDockerApi, type DockerApi } from './api.ts';
export type { DockerApiParts, DockerNetwork, DockerNetworks, MachineInfo } from './ports.ts';
export { dockerCoverage } from './routes.ts';
