import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { digestOf, hexOf } from '#base';
import type { Mount } from '../engine.ts';
import type { BuildRun } from './build-run.ts';
import { stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';
import type { OpenMounts } from './run-binds.ts';
import type { RunMount } from './run-mounts.ts';

/** Where secrets lie that become variables: below /dev, which is never part of a layer. */
const variableDirectory = '/dev/build-secrets';

/** The secrets and SSH agents that one RUN asks for. They exist in memory, and in the container for as long as it runs. */
export class RunSecrets {
  readonly #build: BuildRun;
  readonly #run: InstructionOf<'RUN'>;
  readonly #mounts: RunMount[] = [];
  readonly #missing: string[] = [];

  constructor(build: BuildRun, run: InstructionOf<'RUN'>) {
    this.#build = build;
    this.#run = run;
  }

  /** What was not given is left out, as BuildKit does, unless it is required: that throws `InvalidArgument`. */
  add(mount: RunMount): void {
    const { secrets, sshAgents } = this.#build.request;
    const given = mount.type === 'secret' ? secrets : sshAgents;
    if (given && Object.hasOwn(given, mount.id!)) {
      this.#mounts.push(mount);
      return;
    }
    const what = mount.type === 'secret' ? `secret ${mount.id}` : `SSH agent ${mount.id}`;
    const option = mount.type === 'secret' ? `--secret id=${mount.id},src=FILE` : `--ssh ${mount.id}`;
    if (mount.isRequired)
      throw stepFault('InvalidArgument', this.#run.at, `RUN needs the ${what}: build with "dabba build ${option}"`);
    this.#missing.push(`${what} was not given, and RUN goes on without it; "dabba build ${option}" gives it`);
  }

  async announceMissing(): Promise<void> {
    for (const text of this.#missing) await this.#build.emit({ kind: 'warning', text });
  }

  /** Puts them where they can be mounted from, until `opened` is disposed. */
  async open(opened: AsyncDisposableStack): Promise<OpenMounts> {
    const mounts: Mount[] = [];
    const environment: string[] = [];
    const variables = new Map<string, string>();
    if (this.#mounts.length === 0) return { mounts, environment, variables };
    const room = opened.use(this.#build.secretRooms.open());
    for (const [index, mount] of this.#mounts.entries()) {
      const source = join(room.path, String(index));
      if (mount.type === 'ssh') {
        opened.use(await forwardAgent(this.#build.request.sshAgents![mount.id!]!, source));
        const target = mount.target || `/run/buildkit/ssh_agent.${environment.length}`;
        environment.push(`SSH_AUTH_SOCK=${target}`);
        mounts.push({ kind: 'bind', source, target, isReadOnly: false, isMapped: true });
      } else {
        writeFileSync(source, this.#build.request.secrets![mount.id!]!, { mode: 0o600 });
        const isFile = mount.target !== '' || mount.variable === undefined;
        const target = mount.target || `/run/secrets/${mount.id}`;
        if (isFile) mounts.push({ kind: 'bind', source, target, isReadOnly: true, isMapped: true });
        if (mount.variable !== undefined) {
          const copy = `${variableDirectory}/${hexOf(digestOf(mount.variable)).slice(0, 16)}`;
          mounts.push({ kind: 'bind', source, target: copy, isReadOnly: true, isMapped: true });
          variables.set(mount.variable, copy);
        }
      }
      chownSync(source, mount.uid, mount.gid);
      chmodSync(source, mount.mode);
    }
    return { mounts, environment: environment.slice(0, 1), variables };
  }
}

/** A socket that leads to an agent: the agent itself answers its owner and root alone, and its socket must keep its mode. */
async function forwardAgent(agentPath: string, path: string): Promise<AsyncDisposable> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const agent = connect(agentPath);
    for (const [socket, other] of [
      [client, agent],
      [agent, client],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy()).on('close', () => sockets.delete(socket));
    }
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(path, resolve);
  await promise;
  return {
    async [Symbol.asyncDispose]() {
      const { promise: closed, resolve: close } = Promise.withResolvers<void>();
      server.close(() => close());
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Runs a command with variables whose values come from files: nothing that is recorded of the container holds them. */
export function withVariables(args: readonly string[], variables: ReadonlyMap<string, string>): readonly string[] {
  if (variables.size === 0) return args;
  // What $(…) cuts off the end, newlines, is kept by a letter behind them.
  const assignments = [...variables].map(
    ([name, path]) => `${name}="$(cat ${path}; printf x)"; export ${name}="\${${name}%x}"`,
  );
  return ['/bin/sh', '-c', `${assignments.join('; ')}; exec "$@"`, 'sh', ...args];
}
