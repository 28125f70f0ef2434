import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parse } from 'yaml';
import { mergedKubeconfig, writeKubeconfig } from './kubeconfig.ts';

const cluster = (name: string) => ({
  name,
  arn: `arn:aws:eks:us-east-1:000000000000:cluster/${name}`,
  account: '000000000000',
  region: 'us-east-1',
  endpoint: 'https://127.0.0.1:61000',
  certificateAuthorityData: 'Y2E=',
});

describe('kubeconfig of all clusters', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  after(() => rmSync(directory, { recursive: true }));

  test('it names every cluster, the first as the current one, and lets aws say who calls', () => {
    const path = join(directory, 'deeper', 'config');
    assert.equal(writeKubeconfig(path, []), false);
    assert.equal(writeKubeconfig(path, [cluster('a'), cluster('b')]), true);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const written = parse(readFileSync(path, 'utf8')) as ReturnType<typeof mergedKubeconfig>;
    assert.equal(written['current-context'], cluster('a').arn);
    assert.deepEqual(
      written.clusters.map(({ name }) => name),
      [cluster('a').arn, cluster('b').arn],
    );
    assert.match(JSON.stringify(written.users), /"command":"aws".*"get-token","--cluster-name","a"/);
    assert.equal(writeKubeconfig(path, []), false, 'both are gone');
  });

  test('what the user chose and added stays; clusters that are gone go', () => {
    const first = mergedKubeconfig({}, [cluster('a'), cluster('b')]);
    const chosen = {
      ...first,
      'current-context': cluster('b').arn,
      contexts: first.contexts.map((context) => ({ ...context, extra: context.name })),
      users: [...first.users, { name: 'mine' }],
    };
    const next = mergedKubeconfig(chosen, [cluster('b'), cluster('c')]);
    assert.equal(next['current-context'], cluster('b').arn);
    assert.deepEqual(
      next.contexts.map(({ name }) => name),
      [cluster('b').arn, cluster('c').arn],
    );
    assert.deepEqual(next.contexts[0], chosen.contexts[1]);
    assert.ok(next.users.some(({ name }) => name === 'mine'));
    assert.equal(mergedKubeconfig(next, [cluster('c')])['current-context'], cluster('c').arn);
  });
});
