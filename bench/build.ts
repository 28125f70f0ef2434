/**
 * How fast dabba builds: a Dockerfile of six steps, cold and cached, against the classic docker builder and buildah.
 *   node bench/build.ts        (root; nothing else busy on the machine)
 * The peers are unpacked from this machine's package source into a directory of our own: nothing is installed, no service starts.
 * Prints the medians of interleaved runs and dabba's ratios.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../test/harness/dabba.ts';

const RUNS = 7;
const project = resolve(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'dabba-bench-build-'));
const data = join(work, 'data');
const peers = join(work, 'peers');
const context = join(work, 'context');
const namespace = `dabba-bench-${process.pid}`;
const image = 'public.ecr.aws/docker/library/busybox:latest';

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, input?: Buffer): Buffer {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    env: { ...process.env, ...env },
    maxBuffer: 1 << 30,
    ...(input ? { input } : {}),
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr.toString()}`);
  return stdout;
}

const packages = ['docker.io', 'containerd', 'tini', 'buildah', 'golang-github-containers-common', 'golang-github-containers-image', 'libdevmapper1.02.1', 'libgpgme11', 'libassuan0', 'libltdl7', 'libsubid4']; // prettier-ignore

function unpackPeers(): void {
  const archives = join(work, 'packages');
  mkdirSync(archives);
  const { status, stderr } = spawnSync('apt-get', ['download', ...packages], { cwd: archives });
  if (status !== 0) throw new Error(`apt-get download: ${stderr.toString()}`);
  for (const name of readdirSync(archives)) run('dpkg-deb', ['-x', join(archives, name), peers]);
}

const libraries = ['usr/lib', 'lib'].map((part) => join(peers, part, 'x86_64-linux-gnu')).join(':');
const peerEnv = { LD_LIBRARY_PATH: libraries, PATH: `${peers}/usr/bin:${peers}/usr/sbin:${process.env['PATH']}` };
const dockerSocket = join(work, 'peer.sock');

/** In a network namespace of its own: its bridge changes the machine's rules otherwise. */
async function startDocker(): Promise<ChildProcess> {
  run('ip', ['netns', 'add', namespace]);
  const daemon = spawn(
    'nsenter',
    [`--net=/run/netns/${namespace}`, 'dockerd', '--data-root', join(work, 'docker'), '--exec-root', join(work, 'docker-run'), '-H', `unix://${dockerSocket}`, '-p', join(work, 'docker.pid'), '--bip', '10.77.0.1/16', '--storage-driver', 'overlay2', '--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${namespace}`], // prettier-ignore
    { env: { ...process.env, ...peerEnv }, stdio: 'ignore' },
  );
  for (const until = Date.now() + 30_000; ;) {
    if (spawnSync('docker', ['-H', `unix://${dockerSocket}`, 'version']).status === 0) return daemon;
    if (Date.now() > until) throw new Error('dockerd did not start');
    await new Promise((later) => setTimeout(later, 200)); // it announces itself nowhere
  }
}

const buildahArgs = ['--root', join(work, 'buildah'), '--runroot', join(work, 'buildah-run'), '--storage-driver', 'overlay', '--registries-conf', '/dev/null']; // prettier-ignore

interface Builder {
  readonly name: string;
  cold(): void;
  cached(): void;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const time = (work: () => void) => {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
};

let docker: ChildProcess | undefined;
try {
  unpackPeers();
  mkdirSync(context);
  const base = 'FROM BASE\nENV A=1\nCOPY blob /blob\nRUN sha256sum /blob > /sum\nRUN mkdir -p /app && echo one > /app/one\nCOPY small /app/\nRUN cat /app/* > /app/all\nCMD ["cat", "/app/all"]\n'; // prettier-ignore
  writeFileSync(join(context, 'blob'), Buffer.alloc(2 << 20, 'dabba'));
  writeFileSync(join(context, 'small'), 'small\n');
  const dockerfile = (name: string, from: string) => writeFileSync(join(context, name), base.replace('BASE', from));
  dockerfile('Dockerfile', image);
  dockerfile('Dockerfile.buildah', 'localhost/bench:base');

  run(join(project, 'dabba'), ['up', '-d', '--data', data, '--port', String(await freePort()), '--public-cidr', `198.19.${process.pid % 200}.0/24`]); // prettier-ignore
  run(join(project, 'dabba'), ['images', 'seed', 'busybox', '--data', data]);
  const ours = {
    DOCKER_HOST: `unix://${join(data, 'docker.sock')}`,
    DOCKER_BUILDKIT: '0',
    DOCKER_CONFIG: join(work, 'c'),
  };
  run('docker', ['pull', image], ours);
  const container = run('docker', ['create', image, 'true'], ours).toString().trim();
  const rootfs = run('docker', ['export', container], ours);
  run('docker', ['rm', container], ours);

  docker = await startDocker();
  const theirs = { DOCKER_HOST: `unix://${dockerSocket}`, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(work, 'c') };
  run('docker', ['import', '-', image], theirs, rootfs);

  const containersConf = join(work, 'containers.conf');
  writeFileSync(containersConf, '[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=32768:32768"]\n');
  const policy = join(peers, 'etc/containers/policy.json');
  const buildahEnv = { ...peerEnv, CONTAINERS_CONF: containersConf, REGISTRY_AUTH_FILE: '/dev/null' };
  writeFileSync(join(work, 'rootfs.tar'), rootfs);
  writeFileSync(join(work, 'Base'), 'FROM scratch\nADD rootfs.tar /\n');
  const buildah = (...args: readonly string[]) =>
    void run(join(peers, 'usr/bin/buildah'), [...buildahArgs, ...args], buildahEnv);
  const bud = [
    'bud',
    '--signature-policy',
    policy,
    '--runtime',
    '/usr/sbin/runc',
    '--isolation',
    'oci',
    '--network',
    'none',
  ];
  buildah(...bud, '-f', join(work, 'Base'), '-t', 'localhost/bench:base', work);

  const withDocker = (name: string, env: NodeJS.ProcessEnv): Builder => {
    const build = (...args: readonly string[]) =>
      void run('docker', ['build', '-q', '--network=none', ...args, context], env);
    return { name, cold: () => build('--no-cache'), cached: () => build() };
  };
  const withBuildah: Builder = {
    name: 'buildah --layers',
    cold: () => buildah(...bud, '--layers', '--no-cache', '-f', join(context, 'Dockerfile.buildah'), context),
    cached: () => buildah(...bud, '--layers', '-f', join(context, 'Dockerfile.buildah'), context),
  };
  const builders = [withDocker('dabba (docker build)', ours), withDocker('docker classic', theirs), withBuildah];
  for (const kind of ['cold', 'cached'] as const) {
    const times = new Map(builders.map(({ name }) => [name, [] as number[]]));
    for (const builder of builders) builder[kind]();
    for (let round = 0; round < RUNS; round++)
      for (const builder of builders) times.get(builder.name)!.push(time(() => builder[kind]()));
    const [own] = times.values();
    for (const [name, values] of times)
      console.log(
        `${kind.padEnd(7)} ${name.padEnd(22)} p50 ${median(values).toFixed(0)} ms   min ${Math.min(...values).toFixed(0)}   dabba's ratio ${(median(own!) / median(values)).toFixed(2)}`,
      );
  }
} finally {
  docker?.kill();
  if (docker && docker.exitCode === null) await new Promise((ended) => docker!.once('exit', ended));
  spawnSync('ip', ['netns', 'del', namespace]);
  // dockerd leaves its own behind.
  for (const controller of readdirSync('/sys/fs/cgroup'))
    spawnSync('rmdir', [join('/sys/fs/cgroup', controller, namespace)]);
  spawnSync(join(project, 'dabba'), ['down', '--data', data]);
  renameSync(work, `${work}.trash`);
  rmSync(`${work}.trash`, { recursive: true, force: true });
}
