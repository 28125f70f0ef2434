/**
 * Whether a start costs more on a machine that has much: beside 500 running containers, and with the layers of 10,000 images in the store.
 *   node bench/engine-growth.ts        (root)
 * Three engines, each in a process of its own, start containers in turn, so that other work on the machine falls on all alike. The steadier measure
 * is processor time, by the cgroups' own clock: that of the engine, conmon, runc, and the container up to its first instruction.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { StartCost } from './engine-world.ts';
import { compare } from './paired.ts';

const [images, running] = [10_000, 500];
const [rounds, startsEach] = [15, 4];

class World {
  readonly name: string;
  readonly #process;
  readonly #ended: Promise<never>;
  readonly #ready: Promise<unknown>;

  constructor(name: string, counts: { readonly images: number; readonly running: number }) {
    this.name = name;
    this.#process = fork(join(import.meta.dirname, 'engine-world.ts'), [String(counts.images), String(counts.running)]);
    this.#ended = once(this.#process, 'exit').then(() => {
      throw new Error(`the engine "${name}" ended`);
    });
    this.#ended.catch(() => undefined); // in the end it does
    this.#ready = this.#answer();
  }

  async ready(): Promise<void> {
    await this.#ready;
  }

  async start(): Promise<StartCost> {
    this.#process.send(startsEach);
    return (await this.#answer()) as StartCost; // as `engine-world.ts` sends
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    await ended;
  }

  async #answer(): Promise<unknown> {
    const [answer] = (await Promise.race([once(this.#process, 'message'), this.#ended])) as [unknown];
    return answer;
  }
}

const worlds = [
  new World('empty', { images: 0, running: 0 }),
  new World(`${running} running`, { images: 0, running }),
  new World(`${images} images`, { images, running: 0 }),
];
try {
  await Promise.all(worlds.map((world) => world.ready()));
  const costs = new Map<World, StartCost[]>(worlds.map((world) => [world, []]));
  await compareStarts('wall time of a start', async (world) => {
    const cost = await world.start();
    costs.get(world)!.push(cost);
    return cost.wallMs;
  });
  // The same starts once more, in the same order.
  await compareStarts('processor time of a start', (world) => Promise.resolve(costs.get(world)!.shift()!.processorMs));
} finally {
  // One after another: each looks for what it left on the machine.
  for (const world of worlds) await world.end();
}

async function compareStarts(title: string, measure: (world: World) => Promise<number>): Promise<void> {
  const subjects = worlds.map((world) => ({ name: world.name, once: () => measure(world) }));
  const targets = worlds.slice(1).map(({ name }) => ({ ours: name, peer: 'empty', atMost: 1.1 }));
  await compare(`7. ${title}`, 'ms', rounds, subjects, targets);
}
