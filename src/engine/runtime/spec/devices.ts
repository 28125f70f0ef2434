import { lstatSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import { join, relative } from 'node:path';
import { DabbaError, systemCode } from '#base';
import { deviceOf } from '#kernel';
import type { DeviceMapping } from '../../engine.ts';
import { hostDevices } from './host-devices.ts';
import type { PlacedMount } from './mounts.ts';
import type { OciDevice, OciDeviceRule } from './oci.ts';

/** With the node of this machine it is. */
export type GrantedDevice = OciDevice & { readonly access: string; readonly source: string };

/** The device nodes that mappings give a container; a directory stands for every device in it. Throws `FailedPrecondition` in Docker's words. */
export function mappedDevices(mappings: readonly DeviceMapping[]): readonly GrantedDevice[] {
  return mappings.flatMap(({ hostPath, containerPath, permissions }) => {
    const stat = statDevice(hostPath);
    if (stat.isDirectory()) {
      const directory = realpathSync(hostPath);
      return hostDevices(directory).map((device) => ({
        ...device,
        path: join(containerPath, relative(directory, device.path)),
        access: permissions,
      }));
    }
    return [{ ...deviceAt(hostPath, stat), path: containerPath, source: hostPath, access: permissions }];
  });
}

/** The node itself, for where none can be made. */
export function mountOf({ path, source }: GrantedDevice): PlacedMount {
  return { kind: 'bind', source, target: path, isReadOnly: false };
}

/** The node to be made. */
export function nodeOf({ path, type, major, minor, fileMode, uid, gid }: GrantedDevice): OciDevice {
  return { path, type, major, minor, fileMode, uid, gid };
}

/** What the devices cgroup must allow for a device. */
export function ruleOf({ type, major, minor, access }: GrantedDevice): OciDeviceRule {
  return { allow: true, type, major, minor, access };
}

/** A rule in the devices cgroup's own form: `c 10:200 rwm`, `a *:* r`. Throws `InvalidArgument` in Docker's words. */
export function parseDeviceRule(text: string): OciDeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (!match) throw new DabbaError('InvalidArgument', `invalid device cgroup rule format: '${text}'`);
  const [, type, major, minor, access] = match;
  return {
    allow: true,
    type: type as 'a' | 'b' | 'c', // one of the three, by the expression
    ...(major !== '*' && { major: Number(major) }),
    ...(minor !== '*' && { minor: Number(minor) }),
    access: access!,
  };
}

/** The numbers of a block device. */
export function blockDevice(path: string): { readonly major: number; readonly minor: number } {
  const stat = statDevice(path);
  if (!stat.isBlockDevice()) throw new DabbaError('InvalidArgument', `${path} is not a block device`);
  return deviceOf(stat.rdev);
}

function deviceAt(path: string, stat: BigIntStats): OciDevice {
  const isBlock = stat.isBlockDevice();
  if (!isBlock && !stat.isCharacterDevice())
    throw new DabbaError(
      'FailedPrecondition',
      `error gathering device information while adding custom device "${path}": not a device node`,
    );
  const fileMode = Number(stat.mode) & 0o7777;
  return {
    path,
    type: isBlock ? 'b' : 'c',
    ...deviceOf(stat.rdev),
    fileMode,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  };
}

function statDevice(path: string): BigIntStats {
  try {
    return lstatSync(path).isSymbolicLink() ? statSync(path, { bigint: true }) : lstatSync(path, { bigint: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR')
      throw new DabbaError(
        'FailedPrecondition',
        `error gathering device information while adding custom device "${path}": no such file or directory`,
        { cause: error },
      );
    throw error;
  }
}
