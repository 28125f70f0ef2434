import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { jsonLogger } from '#base';
import { NodeWorld } from './world.ts';

const logger = process.env['KUBELET_LOG']
  ? jsonLogger(
      (line) => process.stderr.write(line),
      () => Date.now(),
    )
  : undefined;
const world = new NodeWorld(logger);
before(() => world.start());
after(() => world[Symbol.asyncDispose]());

test('a pod runs, is seen, speaks and ends', async () => {
  await world.runReady('web', 'echo started; exec sleep 1000');
  assert.equal((await world.kubectl('logs', 'web')).stdout, 'started\n');
  const { stdout } = await world.kubectl('get', 'pod', 'web', '-o', 'wide', '--no-headers');
  assert.match(stdout, /web\s+1\/1\s+Running\s+0\s+\S+\s+10\.0\.0\.\d+\s+node-1/);
  const exec = await world.kubectl('exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 4');
  assert.deepEqual([exec.code, exec.stdout], [4, 'out\n']);
  assert.match(exec.stderr, /^err\n/);
  await world.remove('web');
  assert.match((await world.kubectl('get', 'pods')).stderr, /No resources found/);
});
