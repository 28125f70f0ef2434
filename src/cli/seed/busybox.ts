import { chmodSync, copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../command.ts';
import { findOnPath, run } from '../programs.ts';
import { SHELL_PATH, type Recipe } from './recipe.ts';

/** Applets of the published busybox image that Debian's build leaves out; shell scripts beside this file stand in. */
const scripts = ['adduser', 'addgroup', 'deluser'] as const;

const files: { readonly [path: string]: string } = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nbin:x:2:2:bin:/bin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
  'etc/group': 'root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n',
  'etc/shadow': 'root:*:10933:0:99999:7:::\ndaemon:*:10933:0:99999:7:::\nnobody:*:10933:0:99999:7:::\n',
  'etc/nsswitch.conf': 'hosts: files dns\n',
};

/** BusyBox from the static binary of this machine's package. */
export const busybox: Recipe = {
  name: 'busybox',
  tags: ['latest', '1', 'stable'],
  config: { Cmd: ['sh'], Env: [SHELL_PATH] },
  comment: 'BusyBox from the Debian package busybox-static',
  async fill(root) {
    const binary = findOnPath('busybox');
    if (!binary) throw new UsageError('busybox is missing', 'apt-get install -y busybox-static');
    for (const directory of [
      'bin',
      'sbin',
      'dev',
      'etc',
      'home',
      'proc',
      'root',
      'sys',
      'usr/bin',
      'usr/sbin',
      'var/spool',
      'var/www',
      'tmp',
      'var/tmp',
    ])
      mkdirSync(join(root, directory), { recursive: true });
    for (const directory of ['tmp', 'var/tmp']) chmodSync(join(root, directory), 0o1777);
    chmodSync(join(root, 'root'), 0o700);
    copyFileSync(realpathSync(binary), join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    const applets = (await run(join(root, 'bin/busybox'), ['--list']))
      .split('\n')
      .filter((name) => name && name !== 'busybox');
    for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet));
    symlinkSync('/bin/busybox', join(root, 'usr/bin/env'));
    for (const script of scripts)
      if (!applets.includes(script)) {
        copyFileSync(join(import.meta.dirname, 'busybox', script), join(root, 'bin', script));
        chmodSync(join(root, 'bin', script), 0o755);
      }
    for (const [path, content] of Object.entries(files))
      writeFileSync(join(root, path), content, { mode: path === 'etc/shadow' ? 0o640 : 0o644 });
  },
};
