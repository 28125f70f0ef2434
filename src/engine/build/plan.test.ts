import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from './parse.ts';
import { planBuild } from './plan.ts';

const platform = { os: 'linux', architecture: 'amd64' } as const;
const plan = (text: string, options: { target?: string; buildArgs?: { readonly [name: string]: string } } = {}) =>
  planBuild(parseDockerfile(text), { platform, buildArgs: {}, ...options });

const stages = `ARG BASE=debian
ARG TAG=\${BASE}-slim
FROM \${BASE}:\${TAG} AS one
FROM one AS two
RUN x
FROM scratch AS unused
FROM alpine AS tools
FROM scratch
COPY --from=two /a /a
COPY --from=3 /b /b
COPY --from=busybox /c /c
`;

test('only needed stages are built, each after what it needs', () => {
  const result = plan(stages);
  assert.deepEqual(
    result.needed.map(({ index }) => index),
    [0, 1, 3, 4],
  );
  assert.deepEqual(result.stages[0]!.base, { kind: 'image', reference: 'debian:debian-slim' });
  assert.deepEqual(result.stages[1]!.base, { kind: 'stage', index: 0 });
  assert.deepEqual(
    plan(stages, { target: 'ONE' }).needed.map(({ name }) => name),
    ['one'],
  );
  assert.deepEqual(
    plan(stages, { target: '3' }).needed.map(({ name }) => name),
    ['tools'],
  );
});

test('build arguments win over defaults, platform arguments are there', () => {
  assert.deepEqual(plan(stages, { buildArgs: { BASE: 'alpine', TAG: '3' } }).stages[0]!.base, {
    kind: 'image',
    reference: 'alpine:3',
  });
  assert.deepEqual(plan('FROM x-$TARGETARCH').stages[0]!.base, { kind: 'image', reference: 'x-amd64' });
});

test('a mount needs its stage', () => {
  const { needed } = plan('FROM a AS one\nFROM b AS two\nFROM c\nRUN --mount=type=bind,from=two,target=/x ls\n');
  assert.deepEqual(
    needed.map(({ index }) => index),
    [1, 2],
  );
});

test('faults are refused', () => {
  assert.throws(() => plan('RUN x'), /no build stage in current context/);
  assert.throws(() => plan('ARG A'), /no build stage in current context/);
  assert.throws(() => plan('FROM $NOTHING'), /base name \(\$NOTHING\) should not be blank/);
  assert.throws(() => plan('FROM a', { target: 'b' }), /target stage "b" could not be found/);
  assert.throws(() => plan('FROM a\nCOPY --from=0 x y'), /invalid from flag value 0/);
  assert.throws(() => plan('FROM --platform=linux/arm64 a'), /only linux\/amd64 can be built/);
  assert.throws(
    () => plan('FROM a\nRUN --mount=type=secret,id= ls'),
    /line 2: RUN --mount=type=secret,id=: id is required/,
  );
});
