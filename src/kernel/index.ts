export { KernelError } from './libc.ts';
export { conntrackSocket, forgetConnections, type Answering } from './conntrack.ts';
export * from './directory.ts';
export * from './files.ts';
export { givePipe, takeFileOwner } from './file-owner.ts';
export * from './mapped-mount.ts';
export { attachLoopDevice, detachLoopDevice, loopDevices, type LoopDevice } from './loop-devices.ts';
export * from './mount.ts';
export * from './namespaces.ts';
export { NetlinkSocket } from './netlink.ts';
export type { NetlinkMessage, NetlinkRequest } from './netlink.ts';
export * from './rtnetlink.ts';
export * from './sockets.ts';
export { setTerminalSize } from './terminal.ts';
export * from './user-namespaces.ts';
export * from './xattr.ts';
export { openBeneath } from './beneath.ts';
export {
  adopt,
  adoptOrphans,
  identifyProcess,
  isProcessAlive,
  processEnded,
  reap,
  signalProcess,
  type ChildProcess,
  type ExitStatus,
  type ProcessIdentity,
} from './process.ts';
export { readAll, run, standardEnvironment, type RunOptions, type RunResult } from './run.ts';
export { connectSeqpacket, longestSocketPath, type SeqpacketConnection } from './seqpacket.ts';
export { sealProgram, type SealedProgram } from './sealed-program.ts';
export { pipe, spawn, type SpawnRequest } from './spawn.ts';
export { watchDescriptor, type DescriptorWatch } from './readiness.ts';
export { PipeReader } from './pipe-reader.ts';
export { hasX32 } from './architecture.ts';
export { forgetMemory, keepInMemory } from './memory-directory.ts';
