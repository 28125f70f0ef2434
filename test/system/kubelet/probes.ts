/** Probes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../harness/machine.ts';
import { world } from './shared.ts';

test('probes decide who is ready, and who is restarted', async () => {
  await world.run('probed', 'echo ok > /tmp/index.html; sleep 1; exec httpd -f -p 8080 -h /tmp', {
    container: {
      ports: [{ name: 'web', containerPort: 8080 }],
      startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 20 },
      readinessProbe: { httpGet: { path: '/index.html', port: 'web' }, periodSeconds: 1, failureThreshold: 1 },
      livenessProbe: { exec: { command: ['test', '-e', '/tmp/index.html'] }, periodSeconds: 1, failureThreshold: 3 },
    },
  });
  await world.kubectl('wait', '--for=condition=Ready', 'pod/probed', '--timeout=80s');
  const restarts = async () =>
    (
      await world.kubectl(
        'get',
        'pod',
        'probed',
        '-o',
        'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}',
      )
    ).stdout;
  assert.equal(await restarts(), '0 true');
  await world.kubectl('exec', 'probed', '--', 'rm', '/tmp/index.html');
  await eventually('it is not ready', 5_000, async () => (await restarts()).endsWith('false'));
  await eventually('it was restarted, and is ready', 15_000, async () => (await restarts()) === '1 true');
  const events = await world.kubectl(
    'get',
    'events',
    '-o',
    'jsonpath={range .items[*]}{.reason} {.message}{"\\n"}{end}',
  );
  assert.match(events.stdout, /Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404/);
  assert.match(events.stdout, /Killing Container c failed liveness probe, will be restarted/);
  await world.remove('probed');
});
