import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { Dabba } from '../harness/dabba.ts';

/** The behaviours docker-py documents, each a function of docker-py.py. */

/** The interpreter on the path may be another than the one that Debian's packages are for. */
const python = ['python3', '/usr/bin/python3'].find((each) => spawnSync(each, ['-c', 'import docker']).status === 0);

test('docker-py', { skip: !python && 'python3 has no docker package' }, async (context) => {
  await using dabba = await Dabba.withBusybox();
  const { stdout, stderr } = await dabba.client(python!, [join(import.meta.dirname, 'docker-py.py')]);
  const results = stdout.trim().split('\n');
  assert.ok(results.length > 15, `it looked at something: ${stdout}${stderr}`);
  for (const line of results) {
    const [, verdict, name = line, why = '""'] = /^(ok|not ok) (\w+)(?:: (.*))?$/.exec(line) ?? [];
    await context.test(name.replaceAll('_', ' '), () =>
      assert.equal(verdict, 'ok', verdict ? (JSON.parse(why) as string) : stderr),
    );
  }
});
