import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSocketServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../harness/dabba.ts';
import { build, openBuildWorld, run, type BuildWorld } from './build-world.ts';

let world: BuildWorld;
before(async () => {
  world = await openBuildWorld();
});
after(async () => {
  await world[Symbol.asyncDispose]();
  assert.deepEqual(world.leftovers(), []);
});

test('stages that do not need one another are built at the same time', async () => {
  const meet = (mine: string, other: string) =>
    `RUN --mount=type=cache,target=/meet touch /meet/${mine}; for i in $(seq 200); do test -e /meet/${other} && exec touch /${mine}; sleep 0.05; done; exit 1`;
  const { imageId, events } = await build(world.engine, {
    Dockerfile: `FROM busybox AS one
${meet('one', 'two')}
FROM busybox AS two
${meet('two', 'one')}
FROM busybox
COPY --from=one /one /
COPY --from=two /two /
`,
  });
  assert.equal(await run(world.engine, imageId, 'ls', '/one', '/two'), '/one\n/two\n');
  const steps = events.flatMap((event) => (event.kind === 'step' ? [event.index] : []));
  assert.deepEqual(
    steps.toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7],
  );
  assert.equal(events.filter(({ kind }) => kind === 'stage-end').length, 3);
});

test('what a step makes of its mount points is looked for in its own layer alone', async () => {
  const victims = join(world.directory, 'victims');
  mkdirSync(victims);
  for (const name of ['mine', 'hosts']) writeFileSync(join(victims, name), '');
  const { imageId } = await build(world.engine, {
    Dockerfile: `FROM busybox
RUN --mount=type=bind,source=Dockerfile,target=/a/mine mv /a /b && ln -s ${victims} /a
RUN --mount=type=tmpfs,target=/c/d true
`,
  });
  assert.deepEqual(readdirSync(victims).sort(), ['hosts', 'mine']);
  assert.equal(await run(world.engine, imageId, 'readlink', '/a'), `${victims}\n`);
  assert.equal(await run(world.engine, imageId, 'ls', '/b'), 'mine\n');
  assert.equal(await run(world.engine, imageId, 'sh', '-c', 'test -e /c || echo none'), 'none\n');
});

test('a stage that names itself means an image of that name', async () => {
  await assert.rejects(
    build(world.engine, { Dockerfile: 'FROM busybox AS self\nCOPY --from=self /bin /b\n' }),
    /^.*Dockerfile:2: self: /,
  );
});

test('a stage that fails ends the others', async () => {
  const begun = performance.now();
  await assert.rejects(
    build(world.engine, {
      Dockerfile:
        'FROM busybox AS slow\nRUN sleep 600\nFROM busybox AS bad\nRUN exit 9\nFROM scratch\nCOPY --from=slow / /\nCOPY --from=bad / /\n',
    }),
    { kind: 'FailedPrecondition', message: /returned a non-zero code: 9 \(Dockerfile:4\)$/ },
  );
  assert.ok(performance.now() - begun < 120_000);
  assert.deepEqual(await world.engine.containers.list(), []);
});

test('COPY: --exclude, --parents, --link, symbolic --chmod', async () => {
  const { imageId } = await build(world.engine, {
    Dockerfile: `FROM busybox AS base
RUN mkdir /real && ln -s /real /link
FROM base
COPY --exclude=*.md --exclude=deep/*.log tree /excluded/
COPY --parents tree/deep/a.txt ./tree/./deep/b.log /parents/
COPY --parents **/package.json /packages/
COPY --link file /link/file
COPY --chmod=u=rwX,go=rX tree/script tree/plain /modes/
COPY --chmod=go-w tree /modes/tree
`,
    'tree/a.md': '',
    'tree/deep/a.txt': '',
    'tree/deep/b.log': '',
    'tree/script': '',
    'tree/plain': '',
    'p/package.json': '',
    'p/q/package.json': '',
    file: '',
  });
  const script =
    'cd /; find excluded parents packages modes -type f | sort; ls -ld /link | cut -c1; ls /real; stat -c %a /modes/plain';
  assert.equal(
    await run(world.engine, imageId, 'sh', '-c', script),
    `excluded/deep/a.txt
excluded/plain
excluded/script
modes/plain
modes/script
modes/tree/a.md
modes/tree/deep/a.txt
modes/tree/deep/b.log
modes/tree/plain
modes/tree/script
packages/p/package.json
packages/p/q/package.json
parents/deep/b.log
parents/tree/deep/a.txt
d
644
`,
  );
});

test('ADD fetches a URL and checks its digest', async () => {
  const content = 'fetched\n';
  const server = createServer((request, response) => {
    if (request.url === '/dir/file.txt')
      response.writeHead(200, { 'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT' }).end(content);
    else response.writeHead(404).end();
  });
  await using place = await listening(server);
  const digest = createHash('sha256').update(content).digest('hex');
  const add = (options: string, path = '/dir/file.txt') =>
    build(world.engine, { Dockerfile: `FROM busybox\nADD ${options} ${place.url}${path} /into/\n` });
  const { imageId } = await add(`--checksum=sha256:${digest}`);
  assert.equal(
    await run(world.engine, imageId, 'sh', '-c', 'cat /into/file.txt; stat -c "%a %u %Y" /into/file.txt'),
    'fetched\n600 0 1445412480\n',
  );
  assert.equal((await add(`--checksum=sha256:${digest}`)).cachedSteps, 1);
  await assert.rejects(add(`--checksum=sha256:${'0'.repeat(64)}`), {
    kind: 'InvalidArgument',
    message: new RegExp(`^Dockerfile:2: ADD .*: digest mismatch: it is sha256:${digest}`),
  });
  await assert.rejects(add('', '/missing'), /^.*Dockerfile:2: ADD .*\/missing: the server answered 404/);
  await assert.rejects(add('', '/'), /the URL has no file name/);
});

test('ADD fetches a repository', async () => {
  const origin = join(world.directory, 'origin');
  mkdirSync(join(origin, 'sub'), { recursive: true });
  writeFileSync(join(origin, 'sub/file'), 'from git\n');
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.invalid', '-C', origin, ...args], {
      encoding: 'utf8',
    });
  git('init', '-q', '-b', 'trunk');
  git('add', '.');
  git('commit', '-q', '-m', 'one');
  const commit = git('rev-parse', 'HEAD').trim();
  const port = await freePort();
  const daemon = spawn(
    'git',
    ['daemon', '--listen=127.0.0.1', `--port=${port}`, '--export-all', '--verbose', `--base-path=${world.directory}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  try {
    await once(daemon.stderr, 'data');
    const url = `git://127.0.0.1:${port}/origin`;
    const { imageId } = await build(world.engine, {
      Dockerfile: `FROM busybox
ADD ${url} /whole
ADD --keep-git-dir=true ${url}#trunk:sub /sub
ADD --checksum=${commit} ${url}#${commit} /commit
`,
    });
    assert.equal(
      await run(world.engine, imageId, 'sh', '-c', 'ls -A /whole /sub /commit; cat /sub/file'),
      '/commit:\nsub\n\n/sub:\nfile\n\n/whole:\nsub\nfrom git\n',
    );
    await assert.rejects(
      build(world.engine, { Dockerfile: `FROM busybox\nADD ${url}#nothing /x\n` }),
      /^.*Dockerfile:2: ADD git:.*git fetch: .*nothing/,
    );
  } finally {
    daemon.kill();
    await once(daemon, 'exit');
  }
});

test('secrets and agents reach RUN and nothing else', async () => {
  const secret = `s3cret-${createHash('sha256').update(String(Math.random())).digest('hex')}`;
  const agentPath = join(world.directory, 'agent.sock');
  const agent = createSocketServer((socket) => socket.end('agent speaking\n'));
  await new Promise<void>((resolve) => agent.listen(agentPath, resolve));
  const dockerfile = `FROM busybox
RUN --mount=type=secret,id=token,required=true,uid=1,mode=0440 test "$(wc -c < /run/secrets/token)" -eq ${secret.length} && stat -c "%u %a" /run/secrets/token
RUN --mount=type=secret,id=token,target=/etc/token --mount=type=secret,id=token,env=TOKEN test "$TOKEN" = "$(cat /etc/token)" && sha256sum /etc/token
RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent
RUN --mount=type=ssh,uid=1 test -S "$SSH_AUTH_SOCK" && stat -c "agent of %u" "$SSH_AUTH_SOCK"
`;
  try {
    const options = { secrets: { token: Buffer.from(secret) }, sshAgents: { default: agentPath } };
    const { imageId, output, events } = await build(world.engine, { Dockerfile: dockerfile }, options);
    const digest = createHash('sha256').update(secret).digest('hex');
    assert.equal(output, `1 440\n${digest}  /etc/token\nagent of 1\n`);
    assert.ok(events.some((event) => event.kind === 'warning' && event.text.includes('secret absent was not given')));
    assert.equal(
      await run(
        world.engine,
        imageId,
        'sh',
        '-c',
        'ls -d /run /etc/token /dev/build-secrets 2>/dev/null; env | grep -v HOSTNAME',
      ),
      await run(world.engine, 'busybox', 'sh', '-c', 'ls -d /run 2>/dev/null; env | grep -v HOSTNAME'),
    );
    const again = await build(
      world.engine,
      { Dockerfile: dockerfile },
      { ...options, secrets: { token: Buffer.from('x') } },
    );
    assert.equal(again.cachedSteps, 4, 'the value of a secret is no part of the key');
    assert.equal(grep(world.directory, secret), '', 'nowhere on the disk');
    await assert.rejects(build(world.engine, { Dockerfile: dockerfile }), {
      kind: 'InvalidArgument',
      message: 'Dockerfile:2: RUN needs the secret token: build with "dabba build --secret id=token,src=FILE"',
    });
  } finally {
    await new Promise((resolve) => agent.close(resolve));
  }
});

test('mounts: what is written to a bind is lost, private caches are apart, a cache begins as its source', async () => {
  const { output, imageId } = await build(world.engine, {
    Dockerfile: `FROM busybox AS source
RUN mkdir /src && echo one > /src/file
FROM busybox
RUN --mount=type=bind,from=source,source=/src,target=/m,rw echo two > /m/file && cat /m/file
RUN --mount=type=bind,from=source,source=/src,target=/m cat /m/file
RUN --mount=type=bind,target=/ctx,rw touch /ctx/new && ls /ctx
RUN --mount=type=bind,target=/ctx ls /ctx
RUN --mount=type=cache,from=source,source=/src,target=/c,id=begun cat /c/file && echo three > /c/file
RUN --mount=type=cache,target=/c,id=begun,sharing=locked cat /c/file
RUN --mount=type=cache,target=/a,id=p,sharing=private --mount=type=cache,target=/b,id=p,sharing=private touch /a/x && ls /a /b
`,
  });
  assert.equal(output, 'two\none\nDockerfile\nnew\nDockerfile\none\nthree\n/a:\nx\n\n/b:\n');
  assert.equal(await run(world.engine, imageId, 'sh', '-c', 'ls -d /m /ctx /c /a /b 2>/dev/null; true'), '');
});

test('checks warn, or fail the build if the Dockerfile says so', async () => {
  const text = 'FROM busybox AS Base\nMAINTAINER me\nENV API_TOKEN x\nCMD echo hi\n';
  const warningsOf = async (dockerfile: string) =>
    (await build(world.engine, { Dockerfile: dockerfile })).events.flatMap((event) =>
      event.kind === 'warning' ? [event.text.replace(/:.*/, '')] : [],
    );
  const found = await warningsOf(text);
  const expected = [
    'StageNameCasing',
    'JSONArgsRecommended',
    'MaintainerDeprecated',
    'LegacyKeyValueFormat',
    'SecretsUsedInArgOrEnv',
  ];
  assert.deepEqual(found, expected);
  assert.deepEqual(await warningsOf(`# check=skip=all\n${text}`), []);
  await assert.rejects(build(world.engine, { Dockerfile: `# check=error=true\n${text}` }), {
    kind: 'InvalidArgument',
    message: /StageNameCasing: .* \(Dockerfile:2\)/,
  });
  await assert.rejects(
    build(world.engine, { Dockerfile: `# syntax=other/language\n${text}` }),
    /only the language of docker\/dockerfile/,
  );
});

test('squashed, the layers above the base are one', async () => {
  const files = {
    Dockerfile: `FROM busybox
RUN mkdir -p /d/e && echo 1 > /d/one && echo 2 > /d/two && rm /etc/group
RUN rm /d/one && rm -r /d/e && echo 3 > /d/e && chmod 700 /home
COPY Dockerfile /d/
`,
  };
  const script = 'find /d /etc | sort; cat /d/two /d/e; stat -c %a /home /d';
  const plain = await build(world.engine, files);
  const squashed = await build(world.engine, files, { isSquashed: true });
  const image = await world.engine.images.find(squashed.imageId);
  assert.equal(image?.diffIds.length, 2);
  assert.equal(image.history.filter((entry) => !entry.empty_layer).length, 2);
  assert.equal(
    await run(world.engine, squashed.imageId, 'sh', '-c', script),
    await run(world.engine, plain.imageId, 'sh', '-c', script),
  );
});

test('the files of a result come as a tar', async () => {
  const archive: Buffer[] = [];
  const onFiles = async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) archive.push(piece);
  };
  await assert.rejects(
    build(world.engine, { Dockerfile: 'FROM scratch\nCOPY a b/\n', a: 'content' }, { onFiles }),
    /without a result/,
  );
  const listed = execFileSync('tar', ['-tf', '-'], { input: Buffer.concat(archive), encoding: 'utf8' });
  assert.match(listed, /^b\/\nb\/a\n$/);
});

test('with SOURCE_DATE_EPOCH two machines make the same image', async () => {
  const files = {
    Dockerfile: `FROM scratch
COPY --chmod=755 busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
WORKDIR /made/here
RUN date > /dev/null && echo hello > file
COPY --chown=1:1 Dockerfile sub/
ENV A=b
`,
    busybox: readFileSync('/bin/busybox'),
  };
  const options = { buildArgs: { SOURCE_DATE_EPOCH: '1700000000' }, labels: { by: 'test' } };
  const first = await build(world.engine, { ...files }, options);
  await using other = await openBuildWorld();
  const second = await build(other.engine, { ...files }, options);
  assert.equal(first.imageId, second.imageId);
  assert.equal((await world.engine.images.find(first.imageId))?.createdAt, 1_700_000_000_000);
  await assert.rejects(
    build(world.engine, files, { buildArgs: { SOURCE_DATE_EPOCH: 'now' } }),
    /not a number of seconds/,
  );
});

test('the cache can be measured and pruned', async () => {
  const { engine } = world;
  const dockerfile =
    'FROM busybox\nRUN --mount=type=cache,target=/pruned-cache head -c 300000 /dev/zero > /pruned-cache/x && head -c 500000 /dev/zero > /big\n';
  const { imageId } = await build(engine, { Dockerfile: dockerfile });
  const used = await engine.builder.cacheUsage();
  const mount = used.find(({ description }) => description === '/pruned-cache');
  assert.ok(mount && mount.sizeBytes >= 300_000 && mount.type === 'mount');
  const step = used.find(({ description }) => description.includes('> /big'));
  assert.ok(step && step.sizeBytes >= 500_000 && step.isShared);
  await engine.images.remove(imageId, { force: true });
  assert.deepEqual((await engine.builder.prune({ unusedSince: 1 })).ids, []);
  const pruned = await engine.builder.prune({ ids: [step.id, mount.id] });
  assert.equal(pruned.ids.length, 2);
  assert.ok(pruned.reclaimedBytes >= 800_000);
  await engine.builder.prune({});
  assert.deepEqual(await engine.builder.cacheUsage(), []);
  assert.equal((await build(engine, { Dockerfile: dockerfile })).cachedSteps, 0);
});

const grep = (directory: string, text: string) => {
  try {
    return execFileSync('grep', ['-rlaF', '--', text, directory], { encoding: 'utf8' });
  } catch (error) {
    if ((error as { readonly status?: number }).status === 1) return ''; // grep's word for nothing found
    throw error;
  }
};

async function listening(server: Server): Promise<AsyncDisposable & { readonly url: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server has one
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
