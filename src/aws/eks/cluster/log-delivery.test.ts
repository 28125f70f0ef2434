import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLogger, systemClock } from '#base';
import type { ClusterRecord } from '../records.ts';
import { LogDeliveries, LogDelivery } from './log-delivery.ts';

const cluster = { account: '000000000000', region: 'us-east-1', name: 'c', id: 'f00d' };

function start(write: (batch: readonly string[]) => Promise<void> = async () => undefined) {
  const batches: { readonly stream: string; readonly lines: readonly string[] }[] = [];
  const delivery = new LogDelivery(
    {
      clock: systemClock,
      logger: silentLogger,
      logs: {
        async write({ group, stream }, events) {
          const lines = events.map(({ message }) => message);
          batches.push({ stream: `${group} ${stream}`, lines });
          await write(lines);
        },
      },
    },
    cluster,
  );
  return { delivery, batches };
}

describe('logs of a control plane', () => {
  test('what is wanted is written, in order, to a stream of its own; what is not is not', async () => {
    const { delivery, batches } = start();
    delivery.write('audit', 'before');
    delivery.configure(['audit']);
    assert.deepEqual([delivery.wants('audit'), delivery.wants('api')], [true, false]);
    for (const line of ['1', '2']) delivery.write('audit', line);
    delivery.write('api', 'no');
    await delivery.idle();
    assert.deepEqual(batches, [{ stream: '/aws/eks/c/cluster kube-apiserver-audit-f00d', lines: ['1', '2'] }]);
  });

  test('what is said meanwhile goes together; more than can wait is dropped, and that is said', async () => {
    const gate = Promise.withResolvers<void>();
    const { delivery, batches } = start(async () => await gate.promise);
    delivery.configure(['api']);
    delivery.write('api', 'first');
    await new Promise((resolve) => setImmediate(resolve));
    for (let index = 0; index < 10_005; index++) delivery.write('api', String(index));
    gate.resolve();
    await delivery.idle();
    assert.deepEqual(batches[0]!.lines, ['first']);
    assert.equal(batches.length, 2);
    assert.equal(batches[1]!.lines.length, 10_001);
    assert.equal(batches[1]!.lines.at(-1), '5 lines were dropped');
  });

  test('a batch that cannot be kept is lost, and the next is not', async () => {
    let failures = 1;
    const { delivery, batches } = start(async () => {
      if (failures-- > 0) throw new Error('no space');
    });
    delivery.configure(['api']);
    delivery.write('api', 'lost');
    await delivery.idle();
    delivery.write('api', 'kept');
    await delivery.idle();
    assert.deepEqual(batches.at(-1)!.lines, ['kept']);
  });

  test('whoever stops waits for the lines of all clusters', async () => {
    const gate = Promise.withResolvers<void>();
    const kept: string[] = [];
    const logs = {
      async write({ group }: { readonly group: string }) {
        await gate.promise;
        kept.push(group);
      },
    };
    const deliveries = new LogDeliveries({ logs, clock: systemClock, logger: silentLogger });
    // Only the members that are looked at.
    for (const name of ['a', 'b'])
      deliveries.of({ ...cluster, name, id: name, logTypes: ['api'] } as unknown as ClusterRecord).write('api', 'x');
    const idle = deliveries.idle();
    gate.resolve();
    await idle;
    assert.deepEqual(kept, ['/aws/eks/a/cluster', '/aws/eks/b/cluster']);
  });
});
