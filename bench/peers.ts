import { spawn as spawnChild, spawnSync, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from '#kernel';

type Environment = { readonly [name: string]: string };

const project = resolve(import.meta.dirname, '..');
const packages = [
  'docker.io',
  'containerd',
  'tini',
  'podman',
  'buildah',
  'golang-github-containers-common',
  'golang-github-containers-image',
  'libdevmapper1.02.1',
  'libgpgme11',
  'libassuan0',
  'libltdl7',
  'libsubid4',
  'iptables',
  'libip4tc2',
  'libip6tc2',
  'libxtables12',
  'libnetfilter-conntrack3',
  'libnfnetlink0',
];
/** A command that hangs must not hang the benchmark. */
const LONGEST_MS = 30_000;
/** podman keeps its locks here, wherever its other state is. */
const podmanLocks = '/dev/shm/libpod_lock';

/** Runs a program to its end, by `posix_spawn`; what it printed. Throws, with its words, when it fails. */
export async function command(file: string, args: readonly string[], environment: Environment): Promise<string> {
  const signal = AbortSignal.timeout(LONGEST_MS);
  const { status, stdout, stderr } = await run(file, args, { environment, signal });
  if (status.kind !== 'exited' || status.code !== 0)
    throw new Error(`${file} ${args.join(' ')}: ${JSON.stringify(status)} ${stderr}`);
  return stdout.toString().trim();
}

/**
 * The engines we are measured beside. Unpacked from this machine's package source into `work`: nothing is installed, no service starts. What
 * they make in the kernel lies in the network namespace and the cgroup named `namespace`, and goes with them.
 */
export class Peers implements AsyncDisposable {
  readonly namespace = `dabba-bench-${process.pid}`;
  readonly environment: Environment;
  readonly dockerSocket: string;
  readonly #work: string;
  readonly #directory: string;
  readonly #hadPodmanLocks = existsSync(podmanLocks);
  readonly #daemons: ChildProcess[] = [];

  constructor(work: string) {
    this.#work = work;
    this.#directory = join(work, 'peers');
    this.dockerSocket = join(work, 'docker.sock');
    const home = join(work, 'home');
    mkdirSync(join(home, '.config/containers'), { recursive: true });
    const path = ['usr/bin', 'usr/sbin'].map((part) => join(this.#directory, part));
    const containersConf = join(work, 'containers.conf');
    this.environment = {
      HOME: home,
      PATH: [...path, process.env['PATH'] ?? ''].join(':'),
      LD_LIBRARY_PATH: ['usr/lib', 'lib'].map((part) => join(this.#directory, part, 'x86_64-linux-gnu')).join(':'),
      XTABLES_LIBDIR: join(this.#directory, 'usr/lib/x86_64-linux-gnu/xtables'),
      CONTAINERS_CONF: containersConf,
      REGISTRY_AUTH_FILE: '/dev/null',
    };
    // podman wants more than a machine without CAP_SYS_RESOURCE has. Its conmon calls podman at the end of a container.
    const passedOn = ['PATH', 'LD_LIBRARY_PATH'].map((name) => JSON.stringify(`${name}=${this.environment[name]}`));
    writeFileSync(
      containersConf,
      `[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=32768:32768"]\n[engine]\nconmon_env_vars=[${passedOn.join(',')}]\n`,
    );
    this.#unpack();
    writeFileSync(join(home, '.config/containers/policy.json'), readFileSync(this.policy));
  }

  /** What images podman and buildah accept. */
  get policy(): string {
    return join(this.#directory, 'etc/containers/policy.json');
  }

  /** One of their programs. */
  program(name: string): string {
    return join(this.#directory, 'usr/bin', name);
  }

  /** dockerd, in a network namespace of its own: its bridge changes the machine's rules otherwise. */
  async startDocker(): Promise<number> {
    const flags = {
      'data-root': join(this.#work, 'docker'),
      'exec-root': join(this.#work, 'docker-run'),
      host: `unix://${this.dockerSocket}`,
      pidfile: join(this.#work, 'docker.pid'),
      bip: '10.77.0.1/16',
      'storage-driver': 'overlay2',
      'exec-opt': 'native.cgroupdriver=cgroupfs',
      'cgroup-parent': `/${this.namespace}`,
    };
    await command('ip', ['netns', 'add', this.namespace], this.environment);
    const enter = [`--net=/run/netns/${this.namespace}`, join(this.#directory, 'usr/sbin/dockerd')];
    const pid = this.#start('nsenter', [
      ...enter,
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    ]);
    await this.#answers(dockerProgram(), ['-H', `unix://${this.dockerSocket}`, 'version']);
    return pid;
  }

  /** containerd alone, for `ctr`; returns what every call of `ctr` begins with. */
  async startContainerd(): Promise<readonly string[]> {
    const [state, config] = [join(this.#work, 'containerd-run'), join(this.#work, 'containerd.toml')];
    const address = join(state, 'containerd.sock');
    writeFileSync(
      config,
      `version = 2\nroot = "${join(this.#work, 'containerd')}"\nstate = "${state}"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "${address}"\n`,
    );
    this.#start(this.program('containerd'), ['--config', config]);
    // Its cgroups are named for its namespace.
    const ctr = ['--address', address, '--namespace', this.namespace];
    await this.#answers(this.program('ctr'), [...ctr, 'version']);
    return ctr;
  }

  /** What every call of podman begins with. */
  get podman(): readonly string[] {
    return [
      ...this.#containersStorage('podman'),
      '--tmpdir',
      join(this.#work, 'podman-tmp'),
      '--runtime',
      '/usr/sbin/runc',
      '--cgroup-manager',
      'cgroupfs',
      '--events-backend',
      'file',
    ];
  }

  /** What every call of buildah begins with. */
  get buildah(): readonly string[] {
    return [...this.#containersStorage('buildah'), '--registries-conf', '/dev/null'];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) {
      if (daemon.exitCode !== null) continue;
      const ended = new Promise((settle) => daemon.once('exit', settle));
      daemon.kill();
      await ended;
    }
    spawnSync('ip', ['netns', 'del', this.namespace]);
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    for (const path of mounts.map((line) => line.split(' ')[4] ?? '').toReversed())
      if (path.startsWith(`${this.#work}/`)) spawnSync('umount', ['-l', path]);
    for (const controller of readdirSync('/sys/fs/cgroup'))
      spawnSync('find', [
        join('/sys/fs/cgroup', controller, this.namespace),
        '-depth',
        '-type',
        'd',
        '-exec',
        'rmdir',
        '{}',
        ';',
      ]);
    if (!this.#hadPodmanLocks) rmSync(podmanLocks, { force: true });
  }

  #containersStorage(name: string): readonly string[] {
    return [
      '--root',
      join(this.#work, name),
      '--runroot',
      join(this.#work, `${name}-run`),
      '--storage-driver',
      'overlay',
    ];
  }

  #unpack(): void {
    const archives = join(this.#work, 'packages');
    mkdirSync(archives);
    const { status, stderr } = spawnSync('apt-get', ['download', ...packages], { cwd: archives });
    if (status !== 0) throw new Error(`apt-get download: ${stderr.toString()}`);
    for (const name of readdirSync(archives)) {
      const unpacked = spawnSync('dpkg-deb', ['-x', join(archives, name), this.#directory]);
      if (unpacked.status !== 0) throw new Error(`dpkg-deb -x ${name}: ${unpacked.stderr.toString()}`);
    }
    // The package's installation would make these names.
    for (const name of ['iptables', 'ip6tables'])
      symlinkSync('xtables-nft-multi', join(this.#directory, 'usr/sbin', name));
  }

  #start(file: string, args: readonly string[]): number {
    const daemon = spawnChild(file, args, { env: this.environment, stdio: 'ignore' });
    this.#daemons.push(daemon);
    return daemon.pid!;
  }

  /** They announce nowhere that they are ready. */
  async #answers(file: string, args: readonly string[]): Promise<void> {
    for (const until = Date.now() + 30_000; ; await new Promise((later) => setTimeout(later, 200))) {
      const { status } = await run(file, args, { environment: this.environment });
      if (status.kind === 'exited' && status.code === 0) return;
      if (Date.now() > until) throw new Error(`not within 30 s: ${file} ${args.join(' ')}`);
    }
  }
}

/** The docker client everybody is driven with: the one on PATH, or the one the tests fetched. */
export function dockerProgram(): string {
  const places = [...(process.env['PATH'] ?? '').split(':'), join(project, '.cache/clients/bin')];
  const found = places.map((place) => join(place, 'docker')).find((path) => existsSync(path));
  if (!found) throw new Error('no docker client on PATH');
  return found;
}

/** Deletes a benchmark's directory. Renamed first, so that a name is never seen half gone. */
export function discard(work: string): void {
  renameSync(work, `${work}.trash`);
  rmSync(`${work}.trash`, { recursive: true, force: true });
}
