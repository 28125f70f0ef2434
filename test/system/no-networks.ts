import { DabbaError } from '#base';
import type { ContainerNetworks } from '#engine';

const refuse = () => Promise.reject(new DabbaError('Unimplemented', 'this test has no bridge networks'));

/** For engines whose containers have no network. */
export const noNetworks: ContainerNetworks = {
  create: refuse,
  remove: refuse,
  list: () => [],
  attach: refuse,
  disconnect: () => Promise.resolve(),
  detach: () => Promise.resolve(),
  publish: refuse,
  endpoints: () => [],
  ports: () => [],
};
