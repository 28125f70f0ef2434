import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Engine } from '#engine';
import { build, openBuildWorld } from './build-world.ts';

const files = {
  Dockerfile: `FROM busybox
ARG FLAVOUR=plain
WORKDIR /srv
COPY site/ /srv/
RUN echo "$FLAVOUR $(cat /proc/sys/kernel/random/uuid)" > made-here
ENV READY=yes
`,
  'site/index.html': 'hello\n',
};
const cachedIn = 4;

/** Takes an image from one engine to another, as a push and a pull do. */
async function carry(from: Engine, to: Engine, reference: string): Promise<void> {
  const signal = AbortSignal.timeout(120_000);
  await to.images.load(await from.images.save([reference], signal), { signal });
}

test('an empty machine that has the last image takes its steps from there', async () => {
  await using first = await openBuildWorld();
  await using second = await openBuildWorld();
  const original = await build(first.engine, files, { references: ['app:1'] });
  await carry(first.engine, second.engine, 'busybox:latest');
  await carry(first.engine, second.engine, 'app:1');

  const same = await build(second.engine, files, { cacheSources: ['app:1'] });
  assert.equal(same.imageId, original.imageId, 'even what RUN made by chance');
  assert.equal(same.cachedSteps, cachedIn);
  assert.equal((await build(second.engine, files)).cachedSteps, cachedIn, 'the steps are this machine’s now');

  await second.engine.builder.prune({});
  const changed = { ...files, 'site/index.html': 'other\n' };
  const partly = await build(second.engine, changed, { cacheSources: ['app:1'] });
  assert.equal(partly.cachedSteps, 1, 'WORKDIR alone: the copied file is another');
  await second.engine.builder.prune({});
  const flavoured = await build(second.engine, files, { cacheSources: ['app:1'], buildArgs: { FLAVOUR: 'hot' } });
  assert.equal(flavoured.cachedSteps, 2);
  await second.engine.builder.prune({});
  assert.equal((await build(second.engine, files, { cacheSources: ['app:1'], isCacheDisabled: true })).cachedSteps, 0);
});

test('sources that give nothing are told of and passed over', async () => {
  await using world = await openBuildWorld();
  const { engine } = world;
  const built = await build(engine, files, { references: ['app:1'], cacheSources: ['nowhere:1', 'busybox'] });
  assert.equal(built.cachedSteps, 0);
  const notes = built.events.flatMap((event) => (event.kind === 'note' ? [event.text] : []));
  assert.deepEqual(notes.slice(0, 2), [
    'cache source nowhere:1 is not here: pull it before the build',
    'cache source busybox carries no keys of steps: it was not built by dabba',
  ]);
  await build(engine, files, { references: ['squashed:1'], isSquashed: true });
  await engine.builder.prune({});
  assert.equal((await build(engine, files, { cacheSources: ['squashed:1'] })).cachedSteps, 0, 'its layers are merged');
});
