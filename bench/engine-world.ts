/**
 * One engine in a process of its own, for `engine-growth.ts`: `node bench/engine-world.ts IMAGES RUNNING`, with an IPC channel. Says `ready`; answers
 * each number with what so many starts, one after another, took each; cleans up and ends when the channel closes.
 */
import { sleep } from './docker-client.ts';
import { fillStore } from './full-store.ts';
import { ProcessorClock } from './processor-clock.ts';
import { endCleanly, engineAt, importBusybox, makeHome, start } from '../test/system/engine.ts';

/** What a start took. */
export interface StartCost {
  readonly wallMs: number;
  readonly processorMs: number;
}

const [images, running] = [Number(process.argv[2]), Number(process.argv[3])];
const home = makeHome();
const clock = new ProcessorClock(`dabba-${home.instance}`);
let engine = engineAt(home);
const closed = new Promise((resolve) => process.once('disconnect', resolve));
try {
  await engine.start();
  await importBusybox(engine);
  if (images > 0) {
    await engine.stop();
    await fillStore(home.directory, images);
    engine = engineAt(home);
    await engine.start();
  }
  // At least one: the cgroup of them all must last, for its clock ends with it.
  for (let left = Math.max(1, running); left > 0; left -= 10)
    await Promise.all(Array.from({ length: Math.min(10, left) }, () => start(engine, sleep)));
  process.on('message', (count) => void measure(Number(count)).then((cost) => process.send?.(cost)));
  process.send?.('ready');
  await closed;
} finally {
  const left = await endCleanly(engine, home);
  if (left.length > 0) console.error('left behind:', left);
  clock[Symbol.dispose]();
}

async function measure(count: number): Promise<StartCost> {
  const [startedAt, usedBefore] = [performance.now(), clock.ms()];
  const ids: string[] = [];
  for (let index = 0; index < count; index++) ids.push((await start(engine, sleep)).id);
  const cost = {
    wallMs: (performance.now() - startedAt) / count,
    processorMs: (clock.ms() - usedBefore) / count,
  };
  await Promise.all(ids.map((id) => engine.containers.remove(id, { force: true })));
  return cost;
}
