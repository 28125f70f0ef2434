export { createLinuxNetworkPlane, type LinuxNetworkPlaneOptions } from './plane.ts';
