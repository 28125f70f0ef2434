import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChanges } from './config.ts';
import { cleanPath } from './container-files.ts';

test('changes are Dockerfile instructions', () => {
  const config = applyChanges({ Env: ['A=1'], WorkingDir: '/srv', Cmd: ['old'] }, [
    'ENV B="two words" C=$A',
    'ENTRYPOINT ["/run"]',
    'EXPOSE 80 53/udp',
    'WORKDIR sub',
    'LABEL a=b',
    'VOLUME /data',
    'USER web',
    'STOPSIGNAL SIGINT',
    'HEALTHCHECK --interval=5s CMD true',
    'ONBUILD RUN true',
  ]);
  assert.deepEqual(config, {
    Env: ['A=1', 'B=two words', 'C=1'],
    Entrypoint: ['/run'],
    ExposedPorts: { '80/tcp': {}, '53/udp': {} },
    WorkingDir: '/srv/sub',
    Labels: { a: 'b' },
    Volumes: { '/data': {} },
    User: 'web',
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5_000_000_000 },
    OnBuild: ['RUN true'],
  });
  for (const bad of ['RUN true', 'FROM scratch', 'COPY a b', 'NONSENSE', 'ENV'])
    assert.throws(() => applyChanges({}, [bad]), { kind: 'InvalidArgument' }, bad);
});

test('paths are absolute, without climbing, and keep how they end', () => {
  const paths = {
    'a/b': '/a/b',
    '/a/../../b': '/b',
    '/a/': '/a/',
    '/a/.': '/a/.',
    '.': '/',
    '/..': '/',
    '/a/./': '/a/',
  };
  for (const [given, clean] of Object.entries(paths)) assert.equal(cleanPath(given), clean, given);
});
