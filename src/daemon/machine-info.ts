import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import type { MachineInfo } from '#docker';
import type { BridgeRequest } from '#network';
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

/** The engine network of `docker run` without `--network`, and of build steps. Its range is chosen when it is first made. */
export function defaultBridge({ instance }: Layout, createdAt: number): BridgeRequest {
  return {
    id: hash('sha256', `${instance}/bridge`, 'hex'),
    name: 'bridge',
    createdAt,
    isInternal: false,
    resolvesNames: false,
    labels: {},
    options: {},
  };
}

function operatingSystem(): string {
  if (!existsSync('/etc/os-release')) return 'Linux';
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
}
