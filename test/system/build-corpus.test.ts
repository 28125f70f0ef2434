import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { DabbaError } from '#base';
import { build, contextOf, openBuildWorld, type BuildWorld } from './build-world.ts';

/** Generated nonsense, the same at each run: every build of it is answered, by an image or by a proper error, and leaves nothing. */

let world: BuildWorld;
before(async () => {
  world = await openBuildWorld();
});
after(async () => {
  await world[Symbol.asyncDispose]();
  assert.deepEqual(world.leftovers(), []);
});

const lines = [
  'FROM scratch',
  'FROM scratch AS one',
  'FROM one',
  'FROM busybox AS two',
  'ARG A=1',
  'ENV B=${A:-x} C="$B"',
  'COPY a /',
  'COPY --from=one / /',
  'COPY --chmod=u+x,g=o --chown=1:2 a b dir/',
  'COPY --exclude=** --parents . /p/',
  'COPY --link a /deep/er/',
  'COPY <<E /x\nbody $A\nE',
  'ADD a.tar /',
  'ADD --checksum=sha256:00 a /',
  'ADD http://[::1/x /',
  'WORKDIR /w/../../x',
  'USER 0:0',
  'EXPOSE 80-90/udp',
  'VOLUME ["/v"]',
  'LABEL a=b "c d"=e',
  'HEALTHCHECK --interval=1s CMD x',
  'ONBUILD COPY a /',
  'SHELL ["/bin/sh", "-c"]',
  'STOPSIGNAL SIGTERM',
  'ENTRYPOINT ["x"]',
  'CMD x',
  '# check=skip=all',
  '# escape=`',
  'RUN --mount=type=secret,id=x,required=true true',
  'RUN --mount=type=bind,from=one,target=/m,rw true',
  'RUN --mount=type=cache,target= true',
  'RUN --network=none --security=insecure true',
];
const splinters = ['\\', '"', "'", '${', '${A', '${A/', '<<', '<<E', '--', '--from=', '=', '[', ']', '\0', '\r', '\t', '**', '[^', '../..', '\u{1F433}', '\uFFFD', '9'.repeat(40)]; // prettier-ignore

const dockerfiles = fc
  .array(
    fc.record({
      line: fc.constantFrom(...lines),
      splinter: fc.constantFrom('', '', ...splinters),
      at: fc.nat(60),
      cut: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) =>
    parts
      .map(({ line, splinter, at, cut }, index) => {
        // Most begin well, so that what follows is reached.
        if (index === 0 && at % 4 !== 0) return 'FROM scratch AS one';
        if (splinter === '') return line;
        return line.slice(0, at) + splinter + line.slice(cut ? at + splinter.length : at);
      })
      .join('\n'),
  );

const files = { a: 'a', b: 'b', 'dir/c': 'c', 'a.tar': contextOf({ inner: 'i' }), '.dockerignore': 'dir/*\n!dir/c\n' };

test('200 Dockerfiles that make no sense', { timeout: 1_200_000 }, async () => {
  const outcomes = { built: 0, refused: 0 };
  for (const dockerfile of fc.sample(dockerfiles, { numRuns: 200, seed: 20261123 })) {
    const outcome = await answer(() => build(world.engine, { ...files, Dockerfile: dockerfile }), dockerfile);
    outcomes[outcome]++;
  }
  assert.ok(outcomes.built > 10 && outcomes.refused > 50, JSON.stringify(outcomes));
  assert.deepEqual(await world.engine.containers.list(), []);
});

const whole = contextOf({ ...files, Dockerfile: 'FROM scratch\nCOPY . /\n' });
const damages = fc.record({
  kind: fc.constantFrom('cut', 'flip', 'splice', 'noise', 'gzip-cut'),
  at: fc.nat(whole.length - 1),
  length: fc.nat(2048),
  byte: fc.nat(255),
});

test('80 contexts that are no tar', { timeout: 480_000 }, async () => {
  for (const damage of fc.sample(damages, { numRuns: 80, seed: 20261124 })) {
    const context = damaged(damage);
    await answer(() => build(world.engine, {}, { context: Readable.from([context]) }), JSON.stringify(damage));
  }
});

test('the shape of names cannot lead out of the context', async () => {
  for (const name of ['../../../../../../tmp/dabba-corpus-escape', '/tmp/dabba-corpus-escape'])
    for (const instruction of [`COPY ${name} /`, `ADD ${name} /`, `COPY a ${name}`, `WORKDIR ${name}`])
      await answer(() => build(world.engine, { ...files, Dockerfile: `FROM scratch\n${instruction}\n` }), instruction);
  assert.equal(existsSync('/tmp/dabba-corpus-escape'), false);
});

async function answer(work: () => Promise<unknown>, what: string): Promise<'built' | 'refused'> {
  try {
    await work();
    return 'built';
  } catch (error) {
    assert.ok(error instanceof DabbaError, `${what}\n${String(error)}\n${(error as Error).stack}`);
    assert.notEqual(error.kind, 'Internal', `${what}\n${error.message}`);
    assert.notEqual(error.message, '', what);
    return 'refused';
  }
}

function damaged({
  kind,
  at,
  length,
  byte,
}: typeof damages extends fc.Arbitrary<infer Damage> ? Damage : never): Buffer {
  if (kind === 'cut') return whole.subarray(0, at);
  if (kind === 'gzip-cut') return gzipSync(whole).subarray(0, at % 400);
  if (kind === 'noise') return Buffer.alloc(length + 1, byte);
  const copy = Buffer.from(whole);
  if (kind === 'splice') return Buffer.concat([copy.subarray(0, at), Buffer.alloc(length, byte), copy.subarray(at)]);
  copy.fill(byte, at, at + (length % 16) + 1);
  return copy;
}
