import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { systemCode } from '#base';
import { eventually, machineTraces, newTraces } from './machine.ts';

export const project = resolve(import.meta.dirname, '../..');

/** The image that tests run: made from the machine's own packages, in the local public gallery of a daemon started `withBusybox`. */
export const busybox = 'public.ecr.aws/docker/library/busybox:latest';

/** How a client ended and what it said. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A daemon of a test's own, on its own data directory, port and address pool, with the unmodified clients pointed at it. */
export class Dabba implements AsyncDisposable {
  readonly work = mkdtempSync(join(tmpdir(), 'dabba-test-'));
  readonly data: string;
  readonly port: number;
  readonly publicCidr = `198.19.${Math.floor(Math.random() * 256)}.0/24`;
  readonly #before = machineTraces();
  #env: NodeJS.ProcessEnv = {};

  private constructor(port: number, data?: string) {
    this.port = port;
    this.data = data ?? join(this.work, 'data');
  }

  /** Starts one; `options` are further options of `dabba up`, `data` another place for its data. */
  static async start(options: readonly string[] = [], place: { readonly data?: string } = {}): Promise<Dabba> {
    const dabba = new Dabba(await freePort(), place.data);
    await dabba.up(options);
    return dabba;
  }

  /** Starts one that has `busybox`. */
  static async withBusybox(options: readonly string[] = []): Promise<Dabba> {
    await using held = new AsyncDisposableStack();
    const dabba = held.use(await Dabba.start(options));
    const seeded = await dabba.command('images', ['seed', 'busybox']);
    assert.equal(seeded.status, 0, `dabba images seed: ${seeded.stderr}`);
    held.move();
    return dabba;
  }

  /** Starts the daemon (again) and points the clients at it. */
  async up(options: readonly string[] = []): Promise<void> {
    const outcome = await this.command('up', [
      '-d',
      '--port',
      String(this.port),
      '--public-cidr',
      this.publicCidr,
      ...options,
    ]);
    assert.equal(outcome.status, 0, `dabba up: ${outcome.stderr}`);
    const exports: unknown = JSON.parse((await this.command('env', ['--json'])).stdout);
    this.#env = {
      ...(exports as NodeJS.ProcessEnv),
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_PAGER: '',
      AWS_EC2_METADATA_DISABLED: 'true',
      DOCKER_BUILDKIT: '0',
      DOCKER_CONFIG: join(this.work, 'docker'),
    };
  }

  /** What `dabba env` exports, for clients that a test starts itself. */
  get environment(): NodeJS.ProcessEnv {
    return { ...this.#env, PATH: clientPath() };
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** `dabba COMMAND --data … ARGS`. */
  async command(name: string, args: readonly string[] = []): Promise<Outcome> {
    return await execute(join(project, 'dabba'), [name, ...args, '--data', this.data], {});
  }

  /** Any client, with the environment of `dabba env`. */
  async client(
    program: string,
    args: readonly string[],
    options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Outcome> {
    // The aws command line of Debian 12 (2.9) does not know AWS_ENDPOINT_URL.
    const all = program === 'aws' ? ['--endpoint-url', this.endpoint, ...args] : args;
    return await execute(program, all, { ...options, env: { ...this.#env, ...options.env } });
  }

  /** The aws command line; its answer as text. Fails when it fails. */
  async aws(...args: string[]): Promise<string> {
    const outcome = await this.client('aws', [...args, '--output', 'text']);
    assert.equal(outcome.status, 0, `aws ${args.join(' ')}: ${outcome.stderr}`);
    return outcome.stdout.trim();
  }

  /** Makes a role of IAM by the statement that says who may take it, and the one that says what it may, an inline policy of the role's own name; answers its ARN. */
  async role(name: string, trusted: object, allowed?: object): Promise<string> {
    const policy = (statement: object) =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
    const named = ['--role-name', name];
    const trust = ['--assume-role-policy-document', policy(trusted)];
    const arn = await this.aws('iam', 'create-role', ...named, ...trust, '--query', 'Role.Arn');
    const inline = ['--policy-name', name, '--policy-document'];
    if (allowed) await this.aws('iam', 'put-role-policy', ...named, ...inline, policy(allowed));
    return arn;
  }

  /** The docker command line; what it prints. Fails when it fails. */
  async docker(...args: string[]): Promise<string> {
    const outcome = await this.client('docker', args);
    assert.equal(outcome.status, 0, `docker ${args.join(' ')}: ${outcome.stderr}`);
    return outcome.stdout.trim();
  }

  /** The client must fail, saying `words`. */
  async refused(
    words: string | RegExp,
    program: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<void> {
    const outcome = await this.client(program, args, { env });
    assert.notEqual(outcome.status, 0, `should have been refused: ${program} ${args.join(' ')}`);
    const said = outcome.stdout + outcome.stderr;
    assert.ok(
      typeof words === 'string' ? said.includes(words) : words.test(said),
      `expected ${String(words)} in: ${said}`,
    );
  }

  async status(): Promise<{ readonly pid: number; readonly hostPid: number }> {
    const { stdout } = await this.command('status', ['--json']);
    return JSON.parse(stdout) as { pid: number; hostPid: number };
  }

  /** SIGKILL to both processes at once. */
  async killBoth(): Promise<void> {
    const { pid, hostPid } = await this.status();
    process.kill(pid, 'SIGKILL');
    process.kill(hostPid, 'SIGKILL');
  }

  /** A file for a client to read. */
  file(name: string, content: string): string {
    const path = join(this.work, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Takes the daemon down and asserts that nothing of it is left on the machine. */
  async [Symbol.asyncDispose](): Promise<void> {
    const down = await this.command('down');
    assert.equal(down.status, 0, `dabba down: ${down.stderr}`);
    const processes = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(this.work));
    assert.deepEqual(processes, [], 'processes left');
    // The kernel takes network namespaces apart after their last user has gone, in its own time.
    await eventually(
      'nothing is left on the machine',
      10_000,
      () => newTraces(this.#before, machineTraces()).length === 0,
    ).catch(() => assert.deepEqual(newTraces(this.#before, machineTraces()), [], 'left on the machine'));
    await rm(this.work, { recursive: true, force: true });
  }
}

/** The clients that the set-up brought come first. */
function clientPath(): string {
  return `${join(project, '.cache/clients/bin')}${delimiter}${process.env['PATH']}`;
}

async function execute(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Outcome> {
  const path = clientPath();
  return await new Promise((settle, reject) => {
    const child = execFile(
      program,
      args,
      { env: { ...process.env, ...options.env, PATH: path }, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number' && error.signal == null) return reject(error);
        settle({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => undefined); // a client that ends early does not read its input
    child.stdin?.end(options.input ?? '');
  });
}

/** Why access entries and pod identities cannot be told with the aws command line here: that of Debian 12 is older than they are. False when they can. */
export function isAwsTooOld(): string | false {
  const version = execFileSync('aws', ['--version'], { encoding: 'utf8' });
  const [, major = 0, minor = 0] = (/^aws-cli\/(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  return (major === 1 ? minor < 32 : minor < 15) && `aws is too old: ${version.trim()}`;
}

/** A port that was free a moment ago, below those that the kernel gives to connections (ip(7), ip_local_port_range), of which none takes it meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port);
    try {
      await once(server, 'listening');
    } catch (error) {
      if (systemCode(error) === 'EADDRINUSE') continue;
      throw error;
    }
    await new Promise((closed) => server.close(closed));
    return port;
  }
}
