import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { DabbaError, type Digest, silentLogger, systemClock, systemRandom } from '#base';
import {
  createEngine,
  type BuildEvent,
  type BuildRequest,
  type Engine,
  type EngineOptions,
  type RegistryResolver,
} from '#engine';
import { listMounts } from '#kernel';

/** An engine of a test's own with a busybox image, and nothing to pull from. Its containers have no network but loopback. */
export interface BuildWorld extends AsyncDisposable {
  readonly engine: Engine;
  readonly directory: string;
  readonly busybox: string;
  /** Ends this engine's process in effect and opens another on the same directory. */
  restart(): Promise<Engine>;
  /** What is left of this world on the machine. Call after disposal. */
  leftovers(): readonly string[];
}

export async function openBuildWorld(resolver: RegistryResolver = noRegistry): Promise<BuildWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-build-'));
  const runtimeDirectory = mkdtempSync('/run/dabba-b-');
  const instance = directory.slice(-6);
  const open = async () => {
    const engine = createEngine({
      directory: join(directory, 'engine'),
      runtimeDirectory,
      instance,
      resolver,
      networks: noNetworks,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    await engine.start();
    return engine;
  };
  let engine = await open();
  const reference = 'busybox:latest';
  await engine.images.importRootfs(Readable.from([busyboxTar(directory)]), {
    reference,
    config: { Cmd: ['sh'] },
    signal: AbortSignal.timeout(120_000),
  });
  return {
    get engine() {
      return engine;
    },
    directory,
    busybox: reference,
    async restart() {
      await engine.stop();
      engine = await open();
      return engine;
    },
    leftovers: () =>
      listMounts()
        .map(({ target }) => target)
        .filter((target) => target.startsWith(directory) || target.startsWith(runtimeDirectory)),
    async [Symbol.asyncDispose]() {
      await engine.destroy();
      rmSync(directory, { recursive: true, force: true });
      rmSync(runtimeDirectory, { recursive: true, force: true });
    },
  };
}

const noRegistry: RegistryResolver = {
  endpoints: () => [],
  defaultCredentials: () => undefined,
  fallback: () => undefined,
};

/** A root file system of this machine's busybox and all its applets. */
function busyboxTar(directory: string): Buffer {
  const root = join(directory, 'busybox');
  for (const name of ['bin', 'etc', 'tmp', 'root', 'home']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean))
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:2:daemon:/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nstaff:x:50:\n');
  return tarOf(root);
}

const tarOf = (directory: string) =>
  execFileSync('tar', ['-C', directory, '--numeric-owner', '-cf', '-', '.'], { maxBuffer: 1 << 28 });

/** Contents by path. */
export type ContextFiles = { readonly [path: string]: string | Buffer };

/** A context with these files. */
export function contextOf(files: ContextFiles): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-context-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
    return tarOf(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export interface Built {
  readonly imageId: Digest;
  readonly events: readonly BuildEvent[];
  /** What RUN steps wrote. */
  readonly output: string;
  readonly cachedSteps: number;
}

/** Builds to the end. */
export async function build(engine: Engine, files: ContextFiles, options: Partial<BuildRequest> = {}): Promise<Built> {
  const events: BuildEvent[] = [];
  const request = {
    context: Readable.from([contextOf(files)]),
    references: [],
    buildArgs: {},
    labels: {},
    credentials: {},
    networkMode: 'none',
    signal: AbortSignal.timeout(240_000),
    ...options,
  };
  for await (const event of engine.builder.build(request)) events.push(event);
  const result = events.findLast((event) => event.kind === 'result');
  if (!result) throw new Error('the build ended without a result');
  const pieces = events.flatMap((event) => (event.kind === 'output' ? [event.data] : []));
  return {
    imageId: result.imageId,
    events,
    output: Buffer.concat(pieces).toString(),
    cachedSteps: events.filter(({ kind }) => kind === 'cached').length,
  };
}

/** Runs a command in a container of an image and gives what it wrote. */
export async function run(engine: Engine, image: string, ...command: readonly string[]): Promise<string> {
  const signal = AbortSignal.timeout(120_000);
  const { id } = await engine.containers.create({ image, command, entrypoint: [], network: { mode: 'none' } });
  try {
    await using attachment = await engine.containers.attach(id, { stdin: false, stdout: true, stderr: true });
    await engine.containers.start(id);
    const pieces: Buffer[] = [];
    for await (const { data } of attachment.output) pieces.push(data);
    await engine.containers.wait(id, 'not-running', signal);
    return Buffer.concat(pieces).toString();
  } finally {
    await engine.containers.remove(id, { force: true });
  }
}

const noNetwork = () => Promise.reject(new DabbaError('NotFound', 'this engine has no networks'));
const noNetworks: EngineOptions['networks'] = {
  create: noNetwork,
  remove: () => Promise.resolve(),
  list: () => [],
  attach: noNetwork,
  disconnect: () => Promise.resolve(),
  detach: () => Promise.resolve(),
  publish: () => Promise.resolve([]),
  endpoints: () => [],
  ports: () => [],
};
