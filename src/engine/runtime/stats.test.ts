import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBlockCounts, parseIo, parseNetworks } from './stats.ts';

test('block counters of cgroup v1 and v2', () => {
  assert.deepEqual(parseBlockCounts('8:0 Read 4096\n8:0 Write 0\nTotal 4096\n'), [
    { major: 8, minor: 0, operation: 'Read', count: 4096 },
    { major: 8, minor: 0, operation: 'Write', count: 0 },
  ]);
  const text = '8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n';
  assert.deepEqual(parseIo(text, { rbytes: 'Read', wbytes: 'Write' }), [
    { major: 8, minor: 16, operation: 'Read', count: 10 },
    { major: 8, minor: 16, operation: 'Write', count: 20 },
  ]);
  assert.deepEqual(parseBlockCounts(''), []);
});

test('network counters leave out the loopback', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0',
    '  eth0: 7 6 5 4 0 0 0 0 14 13 12 11 0 0 0 0',
    '',
  ].join('\n');
  assert.deepEqual(parseNetworks(text), {
    eth0: {
      receivedBytes: 7,
      receivedPackets: 6,
      receiveErrors: 5,
      receiveDrops: 4,
      sentBytes: 14,
      sentPackets: 13,
      sendErrors: 12,
      sendDrops: 11,
    },
  });
  assert.deepEqual(parseNetworks(''), {});
});
