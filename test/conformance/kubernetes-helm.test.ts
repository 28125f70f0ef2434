/** A chart of two tiers with unmodified helm: installed, upgraded, rolled back, uninstalled. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Cluster, noKubectl } from '../harness/cluster.ts';
import { Dabba, project } from '../harness/dabba.ts';

const chart = join(project, 'examples/two-tier');

suite('helm', { skip: noKubectl, timeout: 720_000 }, () => {
  let dabba: Dabba;
  let cluster: Cluster;

  before(async () => {
    dabba = await Dabba.withBusybox();
    cluster = await Cluster.create(dabba, 'c1');
  });
  after(async () => {
    await dabba[Symbol.asyncDispose]();
  });

  const helm = async (...args: string[]) => {
    const { status, stdout, stderr } = await cluster.run('helm', args);
    assert.equal(status, 0, `helm ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const page = async () =>
    await cluster.kubectl(
      'exec',
      'deployment/shop-web',
      '--',
      'wget',
      '-q',
      '-O-',
      'http://shop-web/cgi-bin/index.cgi',
    );

  test('a chart is installed whole', async () => {
    await helm('install', 'shop', chart, '--wait', '--timeout', '360s');
    assert.match(await page(), /^hello, since \w+/);
    assert.match(await helm('list'), /shop\s+default\s+1\s.*deployed/);
  });

  test('an upgrade replaces the web tier and keeps what is stored', async () => {
    const before = await page();
    await helm(
      'upgrade',
      'shop',
      chart,
      '--set',
      'greeting=good day',
      '--set',
      'web.replicas=3',
      '--wait',
      '--timeout',
      '360s',
    );
    assert.equal(await page(), before.replace('hello', 'good day'));
    assert.equal(await cluster.kubectl('get', 'deployment', 'shop-web', '-o', 'jsonpath={.status.readyReplicas}'), '3');
  });

  test('a rollback brings the first back', async () => {
    await helm('rollback', 'shop', '1', '--wait', '--timeout', '360s');
    assert.match(await page(), /^hello, /);
    assert.match(await helm('history', 'shop'), /Rollback to 1/);
  });

  test('what is uninstalled is gone, but for what was stored', async () => {
    await helm('uninstall', 'shop', '--wait', '--timeout', '360s');
    assert.equal(await cluster.kubectl('get', 'deployments,statefulsets', '-o', 'name'), '');
    // helm waits for what it made; the garbage collector takes the pods behind its back, as upstream's does.
    await cluster.kubectl('wait', '--for=delete', 'pods', '--all', '--timeout=240s');
    assert.match(await cluster.kubectl('get', 'persistentvolumeclaims', '-o', 'name'), /data-shop-storage-0/);
  });
});
