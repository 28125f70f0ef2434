import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readLocalProfile } from './local-profiles.ts';

test('profiles are files of the node, and nothing else', (context) => {
  const root = mkdtempSync(join(tmpdir(), 'node-'));
  context.after(() => rmSync(root, { recursive: true }));
  const folder = join(root, 'var/lib/kubelet/seccomp');
  mkdirSync(join(folder, 'profiles'), { recursive: true });
  const refused = (name: string, why: RegExp) => assert.throws(() => readLocalProfile(root, name), why);
  writeFileSync(join(folder, 'profiles/audit.json'), '{}');
  assert.equal(readLocalProfile(root, 'profiles/audit.json'), '{}');
  refused('none.json', /cannot load seccomp profile "\/var\/lib\/kubelet\/seccomp\/none.json": no such file/);
  refused('profiles', /not a file/);
  refused('../secret', /not where profiles are/);
  symlinkSync('/etc/passwd', join(folder, 'passwd'));
  refused('passwd', /no such file/);
  writeFileSync(join(folder, 'large'), Buffer.alloc(2 ** 20 + 1));
  refused('large', /too large/);
  writeFileSync(join(folder, 'word'), 'unconfined');
  refused('word', /not JSON/);
});
