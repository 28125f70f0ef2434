import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { Socket } from 'node:net';
import { closeSync, existsSync } from 'node:fs';
import { adopt, adoptOrphans, identifyProcess, isProcessAlive, processEnded, reap } from './process.ts';
import { pipe, spawn } from './spawn.ts';
import { standardEnvironment } from './run.ts';

/** Runs a shell that starts another in the background, tells its pid and ends. The other ends with code 5 when `letGo` is called. */
async function orphan(): Promise<{ readonly pid: number; readonly letGo: () => void }> {
  const [ours, theirs] = pipe();
  const [gate, gateEnd] = pipe();
  const args = ['-c', '(read x <&3; exit 5) >/dev/null 2>&1 & echo $!'];
  const shell = spawn({ file: 'sh', args, environment: standardEnvironment, descriptors: { 1: theirs, 3: gate } });
  closeSync(theirs);
  closeSync(gate);
  const [text] = (await once(createInterface({ input: new Socket({ fd: ours, writable: false }) }), 'line')) as [
    string,
  ];
  await shell.exited;
  return { pid: Number(text), letGo: () => closeSync(gateEnd) };
}

test('an orphan that is adopted tells how it ended', async () => {
  using _ = adoptOrphans();
  const { pid, letGo } = await orphan();
  const { exited } = adopt(pid);
  letGo();
  assert.deepEqual(await exited, { kind: 'exited', code: 5 });
});

test('what is left of an orphan nobody waits for is reaped, and nothing of one that lives', async () => {
  using _ = adoptOrphans();
  const { pid, letGo } = await orphan();
  const identity = identifyProcess(pid)!;
  reap(identity);
  assert.ok(isProcessAlive(identity));
  letGo();
  await processEnded(identity, AbortSignal.timeout(5_000));
  reap({ ...identity, startTicks: '1' }); // another process, were the number the same
  assert.ok(existsSync(`/proc/${pid}`));
  reap(identity);
  assert.ok(!existsSync(`/proc/${pid}`));
});
