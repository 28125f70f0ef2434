export { createDockerApi, type DockerApi } from './api.ts';
export type { DockerApiParts, MachineInfo } from './ports.ts';
export { dockerCoverage } from './routes.ts';
