/** Logs, and commands in containers, by several versions of kubectl. */
import assert from 'node:assert/strict';
import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { eventually } from '../../harness/machine.ts';
import { world } from './shared.ts';

for (const version of ['kubectl.1.27', 'kubectl.1.30', 'kubectl.1.33'])
  test(`${version}: exec, copy, attach, port-forward`, async () => {
    const name = version.replaceAll('.', '-');
    await world.runReady(name, 'echo page > /tmp/index.html; httpd -p 8080 -h /tmp; cat', {
      container: { stdin: true },
    });
    const exec = await world.kubectlWith(
      'some input\n',
      version,
      'exec',
      '-i',
      name,
      '--',
      'sh',
      '-c',
      'cat; echo err >&2; exit 7',
    );
    assert.deepEqual([exec.code, exec.stdout], [7, 'some input\n'], exec.stderr);
    assert.match(exec.stderr, /^err\n/);
    const big = await world.kubectl(version, 'exec', name, '--', 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x');
    assert.equal(big.stdout.length, 3_000_000);
    const none = await world.kubectl(version, 'exec', name, '--', 'nosuch');
    assert.match(none.stderr, /executable file not found/);
    const file = join(world.directory, name);
    writeFileSync(file, 'x'.repeat(500_000));
    const copied = await world.kubectl(version, 'cp', file, `${name}:/tmp/copied`);
    assert.equal(copied.code, 0, copied.stderr);
    assert.equal(
      (await world.kubectl(version, 'exec', name, '--', 'wc', '-c', '/tmp/copied')).stdout.split(' ')[0],
      '500000',
    );
    const forward = world.spawnKubectl(version, 'port-forward', name, ':8080');
    try {
      const port = /127\.0\.0\.1:(\d+)/.exec(await firstLine(forward))![1];
      for (let count = 0; count < 3; count++)
        assert.equal(await (await fetch(`http://127.0.0.1:${port}/index.html`)).text(), 'page\n');
    } finally {
      forward.kill();
    }
    const attached = world.spawnKubectl(version, 'attach', '-i', name);
    try {
      attached.stdin!.write('hello\n');
      assert.match(await firstLine(attached), /hello/);
    } finally {
      attached.kill();
    }
    await world.remove(name);
  });

test('run --rm -i carries input and output, and removes the pod', async () => {
  const ran = await world.kubectlWith(
    'typed\n',
    'run',
    'once',
    '--rm',
    '-i',
    '--restart=Never',
    '--image=busybox',
    '--image-pull-policy=IfNotPresent',
    `--overrides={"spec":{"nodeName":"node-1"}}`,
    '--',
    'sh',
    '-c',
    'read x; echo got $x',
  );
  assert.match(ran.stdout, /got typed/, ran.stderr);
  assert.equal((await world.kubectl('get', 'pod', 'once')).code, 1);
});

test('logs: tail, timestamps, limits, follow to the end', async () => {
  await world.run(
    'log',
    'for i in 1 2 3 4 5; do echo line $i; done; until test -e /go; do sleep 0.1; done; echo last',
    {
      spec: { restartPolicy: 'Never' },
    },
  );
  await eventually('it has begun', 10_000, async () => (await world.kubectl('logs', 'log')).stdout.includes('line 5'));
  const follower = world.spawnKubectl('logs', '-f', '--tail=1', 'log');
  let followed = '';
  follower.stdout!.on('data', (piece: Buffer) => (followed += piece.toString()));
  const closed = once(follower, 'close');
  await eventually('it is followed', 10_000, () => followed === 'line 5\n');
  await world.kubectl('exec', 'log', '--', 'touch', '/go');
  await closed;
  assert.equal(followed, 'line 5\nlast\n');
  assert.equal((await world.kubectl('logs', '--limit-bytes=4', 'log')).stdout, 'line');
  assert.match(
    (await world.kubectl('logs', '--timestamps', '--tail=1', 'log')).stdout,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z last\n$/,
  );
  await world.remove('log');
});

test('an ephemeral container sees the processes of its target', async () => {
  await world.runReady('dbg', 'exec sleep 1234');
  const ephemeral = {
    name: 'e',
    image: 'busybox',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', 'ps; sleep 1000'],
    targetContainerName: 'c',
  };
  const patch = JSON.stringify({ spec: { ephemeralContainers: [ephemeral] } });
  const patched = await world.kubectl('patch', 'pod', 'dbg', '--subresource=ephemeralcontainers', '-p', patch);
  assert.equal(patched.code, 0, patched.stderr);
  await eventually('it speaks', 10_000, async () =>
    (await world.kubectl('logs', 'dbg', '-c', 'e')).stdout.includes('sleep 1234'),
  );
  await world.remove('dbg');
});

/** The first line that a program writes. */
async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface(child.stdout!);
  for await (const line of lines) return line;
  throw new Error(`it wrote nothing: ${await text(child.stderr!)}`);
}
