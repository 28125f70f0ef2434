import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build, contextOf, openBuildWorld, run, type BuildWorld } from './build-world.ts';

let world: BuildWorld;
before(async () => {
  world = await openBuildWorld();
});
after(async () => {
  await world[Symbol.asyncDispose]();
  assert.deepEqual(world.leftovers(), []);
});

test('the Dockerfile of the main job becomes an image that runs', async () => {
  const { engine } = world;
  const files = {
    Dockerfile: `FROM busybox
ARG PORT=8080
ENV PORT=\${PORT}
WORKDIR /srv
COPY site/ /srv/
RUN echo "web:x:1000:1000::/srv:/bin/sh" >> /etc/passwd && chown -R web /srv && mkdir -p /srv/cgi-bin \\
 && printf '#!/bin/sh\\necho hi\\n' > /srv/cgi-bin/who && chmod +x /srv/cgi-bin/who
USER web
EXPOSE 8080
HEALTHCHECK --interval=2s --timeout=2s --retries=3 CMD wget -q -O- http://127.0.0.1:8080/version.txt || exit 1
CMD ["sh", "-c", "echo listening on $PORT"]
`,
    'site/version.txt': 'version 1\n',
  };
  const first = await build(engine, files, { references: ['app:1'] });
  const image = await engine.images.find('app:1');
  assert.equal(image?.id, first.imageId);
  assert.equal(image.config.User, 'web');
  assert.deepEqual(image.config.ExposedPorts, { '8080/tcp': {} });
  assert.deepEqual(image.config.Healthcheck?.Test, [
    'CMD-SHELL',
    'wget -q -O- http://127.0.0.1:8080/version.txt || exit 1',
  ]);
  assert.ok(image.config.Env?.includes('PORT=8080'));
  assert.equal(
    await run(engine, 'app:1', 'sh', '-c', 'id -un; cat version.txt; ./cgi-bin/who; stat -c %U version.txt'),
    'web\nversion 1\nhi\nweb\n',
  );

  // base, WORKDIR, COPY, RUN
  assert.equal(image.diffIds.length, 4);
  assert.equal(image.history.filter((entry) => !entry.empty_layer).length, 4);
  assert.match(image.history.at(-1)?.created_by ?? '', /^CMD \["sh" "-c"/);
  const steps = first.events.flatMap((event) => (event.kind === 'step' ? [`${event.index}/${event.count}`] : []));
  assert.deepEqual([steps[0], steps.at(-1)], ['1/10', '10/10']);

  const second = await build(engine, files, { references: ['app:2'] });
  assert.equal(second.imageId, first.imageId);
  assert.equal(second.cachedSteps, 8);
  const reopened = await world.restart();
  assert.equal((await build(reopened, files)).imageId, first.imageId, 'the cache outlives the process');
  const other = await build(reopened, files, { buildArgs: { PORT: '9090' } });
  assert.notEqual(other.imageId, first.imageId);
  assert.notEqual((await build(reopened, files, { isCacheDisabled: true })).cachedSteps, 8);
});

test('stages, arguments, heredocs, mounts, ownership', async () => {
  const { engine } = world;
  const files = {
    '.dockerignore': 'ignored.txt\n',
    'ignored.txt': 'secret',
    'file.txt': 'payload\n',
    Dockerfile: `ARG BASE=busybox
FROM \${BASE} AS build
ARG GREETING=hi
WORKDIR /out
COPY . .
RUN --mount=type=cache,target=/cache,sharing=locked echo "$GREETING $(cat /cache/n 2>/dev/null || echo first)" > msg && echo again > /cache/n
RUN <<EOF
set -e
echo line1 > doc
echo line2 >> doc
EOF
FROM scratch AS bare
COPY --from=build /out/msg /msg
FROM busybox AS broken
RUN exit 1
FROM \${BASE}
LABEL org.example.team=core
COPY --from=build --chown=daemon:staff --chmod=0640 /out/msg /out/doc /app/
COPY <<X /app/inline
inline $BASE text
X
RUN --mount=type=bind,from=build,source=/out,target=/mnt --mount=type=tmpfs,target=/t cat /mnt/doc > /from-mount; touch /t/x
ENTRYPOINT ["cat"]
CMD ["/app/msg"]
`,
  };
  const { imageId } = await build(engine, files, { buildArgs: { GREETING: 'hello' } });
  const script =
    'cat /app/msg /app/doc /app/inline /from-mount; stat -c "%u:%g %a" /app/msg; ls -d /mnt /t /cache 2>/dev/null; true';
  assert.equal(
    await run(engine, imageId, 'sh', '-c', script),
    'hello first\nline1\nline2\ninline  text\nline1\nline2\n1:50 640\n',
  );
  const bare = await build(engine, files, { target: 'bare', buildArgs: { GREETING: 'hello' } });
  assert.equal((await engine.images.find(bare.imageId))?.diffIds.length, 1);
  const stage = await build(engine, files, { target: 'build', buildArgs: { GREETING: 'hello' } });
  assert.equal(
    await run(engine, stage.imageId, 'ls', '/out'),
    'doc\nfile.txt\nmsg\nDockerfile\n'.split('\n').sort().join('\n').trim().concat('\n'),
  );
  const changed = await build(engine, { ...files, 'file.txt': 'changed\n' }, { buildArgs: { GREETING: 'hello' } });
  assert.equal(await run(engine, changed.imageId, 'cat', '/app/msg'), 'hello again\n', 'a cache mount persists');
});

test('COPY decides where things go as Docker does', async () => {
  const { engine } = world;
  const { imageId } = await build(engine, {
    Dockerfile: `FROM busybox
RUN mkdir -p /real/dir && ln -s /real/dir /link && echo old > /real/dir/old && chmod 700 /real
WORKDIR /w
COPY a.txt .
COPY a.txt renamed
COPY a.txt b.txt new/
COPY *.txt /star/
COPY d /d
COPY a.txt /link/
COPY d /link
COPY ["with space.txt", "/spaced file"]
`,
    'a.txt': 'a',
    'b.txt': 'b',
    'with space.txt': 's',
    'd/e/f': 'f',
  });
  const files = await run(
    engine,
    imageId,
    'sh',
    '-c',
    'find /w /star /d /real /link "/spaced file" | sort; stat -c "%a" /real',
  );
  assert.equal(
    files,
    `/d
/d/e
/d/e/f
/link
/real
/real/dir
/real/dir/a.txt
/real/dir/e
/real/dir/e/f
/real/dir/old
/spaced file
/star
/star/a.txt
/star/b.txt
/star/with space.txt
/w
/w/a.txt
/w/new
/w/new/a.txt
/w/new/b.txt
/w/renamed
700
`,
  );
});

test('nothing escapes: links in the context and the image stay inside', async () => {
  const { engine } = world;
  const { imageId } = await build(engine, {
    Dockerfile: `FROM busybox AS evil
RUN mkdir -p /tree/one /tree/two/x && ln -s /etc /tree/one/x && echo owned > /tree/two/x/dabba-escaped && ln -s ../../../../../../etc /up
FROM busybox
COPY --from=evil /tree/one /tree/two /into/
COPY --from=evil /up/passwd /stolen
`,
  });
  assert.equal(await run(engine, imageId, 'cat', '/into/x/dabba-escaped'), 'owned\n');
  assert.equal(await run(engine, imageId, 'head', '-1', '/stolen'), 'root:x:0:0:root:/root:/bin/sh\n');
  await assert.rejects(
    run(engine, imageId, 'true')
      .then(() => import('node:fs/promises'))
      .then((fs) => fs.stat('/etc/dabba-escaped')),
    { code: 'ENOENT' },
  );
});

test('faults name file, line, instruction and what is wrong', async () => {
  const { engine } = world;
  const fails = (dockerfile: string, expected: object, options = {}) =>
    assert.rejects(build(engine, { Dockerfile: dockerfile }, options), expected, dockerfile);
  await fails('FROM scratch\nRUNN true\n', {
    kind: 'InvalidArgument',
    message: 'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)',
  });
  await fails('FROM busybox\nRUN exit 3\n', {
    kind: 'FailedPrecondition',
    message: "The command '/bin/sh -c exit 3' returned a non-zero code: 3 (Dockerfile:2)",
  });
  await fails('FROM busybox\nCOPY nothing /\n', {
    kind: 'InvalidArgument',
    message:
      'Dockerfile:2: COPY failed: file not found in build context or excluded by .dockerignore: stat nothing: file does not exist',
  });
  await fails('FROM busybox\nCOPY --chown=nobody-here Dockerfile /\n', {
    message: /Dockerfile:2: unable to find "nobody-here"/,
  });
  await fails('FROM busybox\nADD http://127.0.0.1:1/x /\n', {
    kind: 'Unavailable',
    message: /^Dockerfile:2: ADD http:.*: (?:bad port|connect ECONNREFUSED)/,
  });
  await fails('FROM no/such:image\n', { message: /^Dockerfile:1: .*no\/such/ });
  await fails('FROM busybox', { message: 'Cannot locate specified Dockerfile: other' }, { dockerfile: 'other' });
  assert.deepEqual(await engine.containers.list(), [], 'failed steps leave no container');
});

test('ADD unpacks archives, COPY does not; a script runs with its own interpreter', async () => {
  const { engine } = world;
  const archive = gzipSync(contextOf({ 'inner/file': 'in\n' }));
  const { imageId, output } = await build(engine, {
    Dockerfile: `FROM busybox
ADD a.tgz plain.txt /into/
COPY a.tgz /kept/
RUN <<EOF
#!/bin/cat
this is no shell
EOF
`,
    'a.tgz': archive,
    'plain.txt': 'p',
  });
  assert.match(output, /this is no shell/);
  assert.equal(
    await run(engine, imageId, 'sh', '-c', 'cat /into/inner/file; ls /into /kept; ls /dev/pipes 2>&1 | head -1'),
    'in\n/into:\ninner\nplain.txt\n\n/kept:\na.tgz\nls: /dev/pipes: No such file or directory\n',
  );
});

test('a large tree is copied on a thread of its own', async () => {
  const { engine } = world;
  const files = Object.fromEntries(
    Array.from({ length: 300 }, (_, index) => [`tree/${index % 7}/f${index}`, `${index}`]),
  );
  const dockerfile =
    'FROM busybox AS one\nCOPY tree /tree\nFROM busybox\nCOPY --from=one /tree /copy\nCOPY missing /\n';
  await assert.rejects(build(engine, { ...files, Dockerfile: dockerfile }), /stat missing: file does not exist/);
  const { imageId, cachedSteps } = await build(engine, { ...files, Dockerfile: dockerfile, missing: '' });
  assert.equal(cachedSteps, 2, 'steps before the fault are kept');
  assert.equal(await run(engine, imageId, 'sh', '-c', 'find /copy -type f | wc -l; cat /copy/5/f299'), '300\n299');
});

test('RUN packs and unpacks, and a build that is given up leaves nothing', async () => {
  const { engine } = world;
  const { imageId } = await build(engine, {
    Dockerfile:
      'FROM busybox AS pack\nRUN mkdir p && echo in > p/f && tar -czf /p.tgz p\nFROM pack\nRUN --mount=type=bind,from=pack,target=/m cp /m/p.tgz /q.tgz\n',
  });
  assert.equal(await run(engine, imageId, 'tar', '-xzOf', '/q.tgz', 'p/f'), 'in\n');

  const controller = new AbortController();
  const giving = build(engine, { Dockerfile: 'FROM busybox\nRUN sleep 600\n' }, { signal: controller.signal });
  const events = engine.events(AbortSignal.timeout(120_000));
  for await (const event of events) if (event.action === 'start') break;
  const begun = performance.now();
  controller.abort();
  await assert.rejects(giving, { name: 'AbortError' });
  assert.ok(performance.now() - begun < 120_000);
  assert.deepEqual(await engine.containers.list(), []);
});

test('ONBUILD triggers run in the next build', async () => {
  const { engine } = world;
  await build(
    engine,
    { Dockerfile: 'FROM busybox\nONBUILD COPY x /x\nONBUILD RUN cat /x > /y\n' },
    { references: ['trigger'] },
  );
  const { imageId } = await build(engine, { Dockerfile: 'FROM trigger\n', x: 'triggered\n' });
  assert.equal(await run(engine, imageId, 'cat', '/y'), 'triggered\n');
  assert.equal((await engine.images.find(imageId))?.config.OnBuild, undefined);
});
