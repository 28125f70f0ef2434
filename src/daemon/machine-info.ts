import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import type { DockerNetworks, MachineInfo } from '#docker';
import type { BridgeNetworks } from '#network';
import type { Layout } from './settings.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
}; // our own manifest

/** What `docker info` tells of this machine. */
export function machineInfo(layout: Layout): MachineInfo {
  return {
    id: layout.instance,
    hostName: hostname(),
    version,
    rootDirectory: layout.data,
    operatingSystem: operatingSystem(),
    kernelVersion: release(),
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    cgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? '2' : '1',
  };
}

/** The engine's networks as Docker lists them; an id is made from the name, since the networks have none of their own. */
export function dockerNetworks(layout: Layout, bridges: BridgeNetworks): DockerNetworks {
  const idOf = (name: string) => hash('sha256', `${layout.instance}/${name}`, 'hex');
  return {
    list: () =>
      Promise.resolve([
        ...bridges.list().map(({ name, cidr, gateway }) => ({
          name,
          id: idOf(name),
          driver: 'bridge' as const,
          subnet: cidr,
          gateway,
        })),
        { name: 'host', id: idOf('host'), driver: 'host' as const },
        { name: 'none', id: idOf('none'), driver: 'null' as const },
      ]),
  };
}

function operatingSystem(): string {
  if (!existsSync('/etc/os-release')) return 'Linux';
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
}
