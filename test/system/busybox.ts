import { execFileSync } from 'node:child_process';
import { cpSync, createReadStream, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** A root file system of busybox alone, with a user `web` (1000, also in group `staff`) and a file under /data, as a tar stream. */
export function busyboxTar(): Readable {
  const work = mkdtempSync(join(tmpdir(), 'busybox-'));
  const root = join(work, 'root');
  for (const directory of ['bin', 'etc', 'tmp', 'data']) mkdirSync(join(root, directory), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n');
  for (const applet of applets) if (applet && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:1000:\nstaff:x:50:web\n');
  writeFileSync(join(root, 'data/seed'), 'seeded\n');
  const tar = join(work, 'root.tar');
  execFileSync('tar', ['-C', root, '-cf', tar, '.']);
  return createReadStream(tar).once('close', () => rmSync(work, { recursive: true }));
}
