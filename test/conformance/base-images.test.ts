/** Base images from this machine's own package sources, and builds on top of them that reach those sources through NAT. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Dabba } from '../harness/dabba.ts';

suite('base images', () => {
  test('busybox, debian and node are made, published once, and built upon with the network in reach', async () => {
    await using dabba = await Dabba.start();
    const seeded = await dabba.command('images', ['seed']);
    assert.equal(seeded.status, 0, seeded.stderr);
    assert.match((await dabba.command('images', ['seed', 'debian'])).stderr, /is there already/);

    assert.match(
      await dabba.docker('run', '--rm', 'public.ecr.aws/docker/library/node:latest', 'node', '--version'),
      /^v\d+/,
    );
    // Docker Hub is not in reach here: its names fall back to the local gallery.
    dabba.file(
      'web/Dockerfile',
      'FROM debian\nRUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light >/dev/null\nCMD ["nginx", "-v"]\n',
    );
    await dabba.docker('build', '-q', '-t', 'web', `${dabba.work}/web`);
    const version = await dabba.client('docker', ['run', '--rm', 'web']);
    assert.match(version.stdout + version.stderr, /nginx version/);
  });
});
