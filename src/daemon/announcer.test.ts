import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { announcement, announcing } from './announcer.ts';

/** A child that announces by `script`, where `announce` is its announcer. */
function child(script: string) {
  const module = new URL('announcer.ts', import.meta.url).href;
  const source = `import { announcer } from ${JSON.stringify(module)}; const announce = announcer(() => {}); ${script}`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['pipe', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, ...announcing },
  });
}

test('a start that went well is told with its facts, and only the first word counts', async () => {
  const { stdio } = child(`announce.ready('one', 'two'); announce.failed('late');`);
  assert.deepEqual(await announcement(stdio[3] as Readable), { isReady: true, said: ['one', 'two'] });
});

test('a failure is told with its reason, an end without a word as one', async () => {
  const failed = child(`announce.failed('no port');`);
  assert.deepEqual(await announcement(failed.stdio[3] as Readable), { isReady: false, said: ['no port'] });
  assert.deepEqual(await announcement(child('').stdio[3] as Readable), { isReady: false, said: [] });
});

test('a child outlives a parent that has gone before the word', async () => {
  const orphan = child(`process.stdin.once('data', () => { announce.ready(); process.exit(7); });`);
  (orphan.stdio[3] as Readable).destroy();
  orphan.stdin!.write('go');
  const [code] = (await once(orphan, 'exit')) as [number];
  assert.equal(code, 7);
});
