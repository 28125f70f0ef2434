/**
 * How fast dabba starts containers, how many at once, what they cost; beside dockerd, podman, containerd and runc, in the same minute.
 *   node bench/engine.ts [--only N,N]      (root; nothing else busy on the machine)
 * Everybody is driven with the same docker client, or with their own; each ratio is the median of the rounds' own. Nothing is left behind.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { busyboxTar } from '../test/system/busybox.ts';
import { endCleanly, engineAt, forever, importBusybox, makeHome, start } from '../test/system/engine.ts';
import { freePort } from '../test/harness/dabba.ts';
import { compare, median, type Subject } from './paired.ts';
import { dockerAt, removeMany, sleep, startMany, type Docker } from './docker-client.ts';
import { Peers, command, discard } from './peers.ts';
import { childrenOf, memoryOf, processesNaming, runcRootOf } from './processes.ts';

const image = 'localhost/bench:base';
const project = resolve(import.meta.dirname, '..');
const { only } = parseArgs({ options: { only: { type: 'string' } } }).values;
const work = mkdtempSync(join(tmpdir(), 'dabba-bench-engine-'));
const data = join(work, 'data');
let lastId = 0;
const newId = () => `bench${lastId++}`;

const peers = new Peers(work);
const { environment } = peers;
const dabba = (...args: string[]) =>
  command(join(project, 'dabba'), [...args, '--data', data], { ...environment, LD_LIBRARY_PATH: '' });
const up = async () =>
  void (await dabba(
    'up',
    '-d',
    '--port',
    String(await freePort()),
    '--public-cidr',
    `198.19.${process.pid % 200}.0/24`,
  ));
try {
  const rootfs = join(work, 'rootfs.tar');
  writeFileSync(rootfs, Buffer.concat((await busyboxTar().toArray()) as Buffer[]));
  await up();
  const dockerPid = await peers.startDocker();
  const client = { home: environment['HOME']!, image };
  const ours = dockerAt(join(data, 'docker.sock'), client);
  const theirs = dockerAt(peers.dockerSocket, client);
  const [ctr, podman] = [await ctrClient(), podmanClient()];
  await Promise.all([
    ours.cli('import', rootfs, image),
    theirs.cli('import', rootfs, image),
    podman('import', rootfs, image),
  ]);
  await theirs.cli('save', '-o', join(work, 'image.tar'), image);
  await ctr('images', 'import', join(work, 'image.tar'));
  const ctrImage = (await ctr('images', 'list', '-q')).split('\n')[0]!;

  const measurements: { readonly [number: string]: () => Promise<void> } = {
    1: () => runWithoutNetwork(),
    2: () => runWithNetwork(),
    5: () => exec(),
    4: () => memory(),
    3: async () => {
      await startsAtOnce(20);
      await startsAtOnce(50);
    },
    6: () => growth(),
  };
  const numbers = only?.split(',') ?? ['1', '2', '5', '4', '3', '6'];
  const unknown = numbers.find((number) => !measurements[number]);
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${Object.keys(measurements).join(', ')}`);
  for (const number of numbers) await measurements[number]!();

  async function runWithoutNetwork(): Promise<void> {
    const isolated = ['run', '--rm', '--network', 'none'];
    await compare(
      '1. run --rm true, without network',
      'ms',
      15,
      [
        { name: 'dabba', once: async () => void (await ours.cli(...isolated, image, 'true')) },
        { name: 'docker', once: async () => void (await theirs.cli(...isolated, image, 'true')) },
        { name: 'podman', once: async () => void (await podman(...isolated, image, 'true')) },
        { name: 'ctr', once: async () => void (await ctr('run', '--rm', ctrImage, newId(), 'true')) },
        {
          name: 'ctr --seccomp',
          once: async () => void (await ctr('run', '--rm', '--seccomp', ctrImage, newId(), 'true')),
        },
      ],
      [
        { ours: 'dabba', peer: 'docker', atMost: 0.4 },
        { ours: 'dabba', peer: 'podman', atMost: 0.55 },
        { ours: 'dabba', peer: 'ctr', atMost: 0.8 },
        { ours: 'dabba', peer: 'ctr --seccomp' },
      ],
    );
  }

  async function runWithNetwork(): Promise<void> {
    await compare(
      '2. run --rm true, with network (bridge)',
      'ms',
      15,
      [
        { name: 'dabba', once: async () => void (await ours.cli('run', '--rm', image, 'true')) },
        { name: 'docker', once: async () => void (await theirs.cli('run', '--rm', image, 'true')) },
      ],
      [{ ours: 'dabba', peer: 'docker', atMost: 0.35 }],
    );
  }

  async function exec(): Promise<void> {
    const home = makeHome();
    const engine = engineAt(home);
    try {
      await engine.start();
      await importBusybox(engine);
      const { id } = await start(engine, sleep);
      const [running, dockers] = await Promise.all([ours.start(), theirs.start()]);
      const runc = async (root: string, container: string) => {
        const startedAt = performance.now();
        await command('runc', ['--root', root, 'exec', container, 'true'], environment);
        return performance.now() - startedAt;
      };
      const inProcess: Subject = {
        name: 'dabba, engine in process',
        once: async () => {
          const one = await engine.containers.exec(id, { args: ['true'], stdin: false });
          await one.wait(forever);
          await one.attachment[Symbol.asyncDispose]();
        },
      };
      const ownRoot = runcRootOf(running);
      await compare(
        '5. exec of true',
        'ms',
        15,
        [
          inProcess,
          { name: 'runc exec, same container', once: async () => await runc(join(home.runtimeDirectory, 'runc'), id) },
          { name: 'dabba, Engine API', once: async () => await ours.exec(running) },
          { name: 'runc exec, container of the API', once: async () => await runc(ownRoot, running) },
          { name: 'docker, Engine API', once: async () => await theirs.exec(dockers) },
          { name: 'dabba, docker exec', once: async () => void (await ours.cli('exec', running, 'true')) },
          { name: 'docker, docker exec', once: async () => void (await theirs.cli('exec', dockers, 'true')) },
        ],
        [
          { ours: 'dabba, engine in process', peer: 'runc exec, same container', atMost: 1.1 },
          { ours: 'dabba, Engine API', peer: 'runc exec, container of the API', atMost: 1.1 },
          { ours: 'dabba, docker exec', peer: 'runc exec, container of the API' },
          { ours: 'dabba, Engine API', peer: 'docker, Engine API' },
          { ours: 'dabba, docker exec', peer: 'docker, docker exec' },
        ],
      );
      await Promise.all([ours.remove(running), theirs.remove(dockers)]);
    } finally {
      const left = await endCleanly(engine, home);
      if (left.length > 0) console.error('left behind:', left);
    }
  }

  async function memory(): Promise<void> {
    await dabba('down');
    await up();
    const host = async () => (JSON.parse(await dabba('status', '--json')) as { hostPid: number }).hostPid;
    // Idle is what is left when nothing happens.
    const idleMB = async () =>
      await new Promise((settled) => setTimeout(settled, 5000)).then(async () => memoryOf(await host()).rssMB);
    const fresh = await idleMB();
    const [running, dockers] = [await startMany(ours, 20), await startMany(theirs, 20)];
    const monitors = processesNaming(running);
    const shims = processesNaming(dockers);
    const pssMB = (pids: readonly number[], count: number) =>
      pids.reduce((sum, pid) => sum + memoryOf(pid).pssMB, 0) / count;
    console.log('\n4. memory');
    console.log(
      `  dabba, conmon: ${monitors.length} for ${running.length} containers, ${pssMB(monitors, running.length).toFixed(2)} MB PSS a container   target ≤ 1`,
    );
    console.log(
      `  docker, containerd-shim: ${shims.length} for ${dockers.length}, ${pssMB(shims, dockers.length).toFixed(2)} MB PSS a container`,
    );
    const busy = memoryOf(await host()).rssMB;
    const dockerMB = [dockerPid, ...childrenOf(dockerPid)].map((pid) => memoryOf(pid).rssMB.toFixed(0)).join(' + ');
    await Promise.all([removeMany(ours, running), removeMany(theirs, dockers)]);
    console.log(
      `  host process: idle ${fresh.toFixed(0)} MB RSS, with 20 containers ${busy.toFixed(0)}, idle after them ${(await idleMB()).toFixed(0)}   target ≤ 120`,
    );
    console.log(`  dockerd + its containerd with 20 containers: ${dockerMB} MB RSS`);
  }

  async function startsAtOnce(count: number): Promise<void> {
    const rate = async (begin: () => Promise<readonly string[]>, end: (ids: readonly string[]) => Promise<void>) => {
      const startedAt = performance.now();
      const ids = await begin();
      const result = (count * 1000) / (performance.now() - startedAt);
      await end(ids);
      return result;
    };
    const times = <T>(one: () => Promise<T>) => Promise.all(Array.from({ length: count }, one));
    const byApi = (docker: Docker) => async () =>
      await rate(
        () => times(() => docker.start()),
        (ids) => removeMany(docker, ids),
      );
    const byClient = (docker: Docker) => async () =>
      await rate(
        () => times(() => docker.cli('run', '-d', '--network', 'none', image, ...sleep)),
        (ids) => removeMany(docker, ids),
      );
    const byCtr = async () =>
      await rate(
        () =>
          times(async () => {
            const id = newId();
            await ctr('run', '-d', ctrImage, id, ...sleep);
            return id;
          }),
        async (ids) => {
          await ctr('tasks', 'rm', '--force', ...ids);
          await ctr('containers', 'rm', ...ids);
        },
      );
    await compare(
      `3. ${count} detached starts at once, without network`,
      'containers/s',
      count > 20 ? 5 : 7,
      [
        { name: 'dabba, Engine API', once: byApi(ours) },
        { name: 'docker, Engine API', once: byApi(theirs) },
        { name: 'dabba, docker run -d', once: byClient(ours) },
        { name: 'docker, docker run -d', once: byClient(theirs) },
        { name: 'ctr run -d', once: byCtr },
      ],
      [
        { ours: 'dabba, Engine API', peer: 'docker, Engine API', atLeast: 3.5 },
        { ours: 'dabba, docker run -d', peer: 'docker, docker run -d', atLeast: 3.5 },
        { ours: 'dabba, docker run -d', peer: 'ctr run -d', atLeast: 1.3 },
        { ours: 'dabba, Engine API', peer: 'ctr run -d', atLeast: 1.3 },
      ],
    );
  }

  async function growth(): Promise<void> {
    const ids: string[] = [];
    const samples = new Map<number, number[]>();
    for (const from of [0, 250, 490]) {
      while (ids.length < from) ids.push(...(await startMany(ours, Math.min(10, from - ids.length))));
      const times: number[] = [];
      for (let sample = 0; sample < 10; sample++) {
        const startedAt = performance.now();
        ids.push(await ours.start());
        times.push(performance.now() - startedAt);
      }
      samples.set(from, times);
    }
    console.log('\n6. one start, beside so many that run (10 each)');
    const first = median(samples.get(0)!);
    for (const [from, times] of samples)
      console.log(
        `  ${String(from).padStart(3)} running: p50 ${median(times).toFixed(1)} ms   min ${Math.min(...times).toFixed(1)}   max ${Math.max(...times).toFixed(1)}   ${(median(times) / first).toFixed(2)}×`,
      );
    const startedAt = performance.now();
    await removeMany(ours, ids);
    console.log(`  all ${ids.length} removed by force in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  }
} finally {
  await dabba('down').catch((error: unknown) => console.error(error));
  await peers[Symbol.asyncDispose]();
  discard(work);
}

async function ctrClient(): Promise<(...args: readonly string[]) => Promise<string>> {
  const common = await peers.startContainerd();
  return async (...args) => await command(peers.program('ctr'), [...common, ...args], environment);
}

function podmanClient(): (...args: readonly string[]) => Promise<string> {
  return async (...[name = '', ...args]) => {
    const parent = name === 'run' ? ['--cgroup-parent', `/${peers.namespace}`] : [];
    return await command(peers.program('podman'), [...peers.podman, name, ...parent, ...args], environment);
  };
}
