import { readFile, statfs } from 'node:fs/promises';
import { arch, release, totalmem } from 'node:os';
import { systemCode } from '#base';

/** What is the same for every node of this machine. */
export interface MachineFacts {
  readonly machineId: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** As Go calls it: `amd64`. */
  readonly architecture: string;
  readonly memoryBytes: number;
}

const architectures: { readonly [name: string]: string } = { x64: 'amd64', arm64: 'arm64' };

export async function readMachineFacts(): Promise<MachineFacts> {
  const [machineId, bootId, osRelease] = await Promise.all([
    readText('/etc/machine-id'),
    readText('/proc/sys/kernel/random/boot_id'),
    readText('/etc/os-release'),
  ]);
  return {
    machineId,
    bootId,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    architecture: architectures[arch()] ?? arch(),
    memoryBytes: totalmem(),
  };
}

/** How much there is of something, and how much there should be. */
export interface Threshold {
  readonly available: number;
  readonly least: number;
}

/** What all nodes of a machine can run out of together. Disk in bytes. */
export interface MachineScarcity {
  readonly disk: Threshold;
  readonly inodes: Threshold;
  readonly pids: Threshold;
}

/** Parts that have to be free: the kubelet's `nodefs.available<10%`, `nodefs.inodesFree<5%` and `pid.available<10%`. */
const [freeDisk, freeInodes, freePids] = [0.1, 0.05, 0.1] as const;

/** Reads how scarce disk and processes are. `directory` lies where pods keep their files. */
export async function readScarcity(directory: string): Promise<MachineScarcity> {
  const [disk, loads, limit] = await Promise.all([
    statfs(directory),
    readText('/proc/loadavg'),
    readText('/proc/sys/kernel/pid_max'),
  ]);
  const processes = Number(/\d+\/(\d+)/.exec(loads)?.[1] ?? 0);
  const mostProcesses = Number(limit);
  return {
    disk: { available: disk.bavail * disk.bsize, least: disk.blocks * disk.bsize * freeDisk },
    // A file system without a fixed number of them tells none.
    inodes: { available: disk.ffree, least: disk.files * freeInodes },
    pids: { available: mostProcesses - processes, least: mostProcesses * freePids },
  };
}

/** Size of the file system that a directory lies on. */
export async function diskBytes(directory: string): Promise<number> {
  const { blocks, bsize } = await statfs(directory);
  return blocks * bsize;
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}
