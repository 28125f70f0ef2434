import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

/** A machine with one link to the world, whose only neighbour is nobody. */
const machine = `set -e
mount --make-rprivate /
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
ip link set lo up
ip link add eth0 type veth peer name far0
ip link set far0 mtu 1400 up
ip addr add 192.0.2.2/24 dev eth0
ip link set eth0 mtu 1400 up
ip route add default via 192.0.2.1
exec "$0" "$@"`;

/** Runs the tests of a file beside this one. Namespaces of our own stand for the machine: what else runs on the real one neither disturbs them nor is disturbed. */
export function onMachineOfItsOwn(name: string, file: string): void {
  test(name, async () => {
    const node = [
      process.execPath,
      '--test',
      '--test-isolation=none',
      // A failed test leaves its sockets open.
      '--test-force-exit',
      '--test-timeout=60000',
      join(import.meta.dirname, file),
    ];
    const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;
    const command = ['--net', '--mount', 'sh', '-c', machine, ...node];
    const result = await promisify(execFile)('unshare', command, { env, maxBuffer: 1 << 24 }).catch(
      (error: unknown) => error as { readonly stdout: string; readonly stderr: string; readonly code: number },
    );
    assert.ok(!('code' in result), `${result.stdout}\n${result.stderr}`);
  });
}
