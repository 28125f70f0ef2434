import { DabbaError, type ErrorKind, digestOf, isDigest } from '#base';
import type {
  Container,
  ContainerCreate,
  Containers,
  ContainerState,
  Engine,
  EngineEvent,
  Exec,
  Image,
  Images,
  LogEntry,
  LogOptions,
} from './engine.ts';

interface FakeContainer {
  readonly id: string;
  create: ContainerCreate;
  state: ContainerState;
  readonly lines: string[];
}

/** An engine that keeps its containers in memory, for tests of those who use one: written against the port, as the real one is. */
export class FakeEngine implements Engine {
  /** What was done, in order. */
  readonly log: string[] = [];
  /** Pulls that do not return before their gate opens, by reference. */
  readonly pulls = new Map<string, PromiseWithResolvers<void>>();
  /** Stops that take until their gate opens, by name. */
  readonly stops = new Map<string, PromiseWithResolvers<void>>();
  /** Images that need no pull, by reference. */
  readonly local = new Set<string>();
  /** Bytes that containers wrote, by name. */
  readonly written = new Map<string, number>();
  /** What a command inside a container comes to, by its words joined. */
  readonly commands = new Map<string, { readonly exitCode: number; readonly output: string }>();
  /** What fails, by action and name, e.g. `start s1-app`. */
  readonly failures = new Map<string, { readonly kind: ErrorKind; readonly message: string }>();
  readonly #containers = new Map<string, FakeContainer>();
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #changed = new Set<() => void>();

  readonly #now: () => number;

  constructor(now: () => number = () => 1) {
    this.#now = now;
  }

  get builder(): Engine['builder'] {
    throw new Error('the fake engine builds nothing');
  }
  get networks(): Engine['networks'] {
    throw new Error('the fake engine has no networks');
  }
  get files(): Engine['files'] {
    throw new Error('the fake engine keeps no files');
  }
  get volumes(): Engine['volumes'] {
    throw new Error('the fake engine keeps no volumes');
  }
  start = async (): Promise<void> => undefined;
  stop = async (): Promise<void> => undefined;
  destroy = async (): Promise<void> => undefined;

  async *events(signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const backlog: EngineEvent[] = [];
    let wake = () => {};
    const listener = (event: EngineEvent) => {
      backlog.push(event);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      yield* backlog.splice(0);
      if (!backlog.length && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    }
    this.#listeners.delete(listener);
  }

  /** As if the container's process had ended by itself. */
  exit(name: string, exitCode: number, isOutOfMemory = false): void {
    const container = this.#get(name);
    container.state = { ...container.state, status: 'exited', exitCode, isOutOfMemory, finishedAt: this.#now() };
    this.log.push(`exit ${name}`);
    this.#publish(container, 'die');
  }

  turnHealth(name: string, status: 'healthy' | 'unhealthy'): void {
    const container = this.#get(name);
    container.state = { ...container.state, health: { status, failingStreak: 0, log: [] } };
    this.#publish(container, `health_status: ${status}`);
  }

  print(name: string, ...lines: readonly string[]): void {
    this.#get(name).lines.push(...lines);
    for (const wake of this.#changed) wake();
  }

  created(name: string): ContainerCreate {
    return this.#get(name).create;
  }

  names(): string[] {
    return Array.from(this.#containers.values(), ({ create }) => create.name!).sort();
  }

  readonly images: Images = {
    ...unused<Images>('push', 'login', 'tag', 'remove', 'importRootfs', 'layerSizes', 'save', 'load', 'lookUp'),
    find: async (reference) => (this.local.has(reference) ? image(reference) : undefined),
    list: async () => Array.from(this.local, image),
    pull: async (reference, { signal }) => {
      this.log.push(`pull ${reference}`);
      const gate = this.pulls.get(reference);
      if (gate) {
        signal.addEventListener('abort', () => gate.reject(signal.reason as Error));
        await gate.promise;
      }
      this.#fail(`pull ${reference}`);
      return image(reference);
    },
  };

  readonly containers: Containers = {
    ...unused<Containers>('rename', 'wait', 'attach', 'resize', 'top', 'pause', 'unpause'),
    sizeOf: async (id) => this.written.get(this.#get(id).create.name!) ?? 0,
    stats: async () => undefined,
    create: async (request) => {
      if (this.names().includes(request.name!)) throw new DabbaError('AlreadyExists', `${request.name} exists`);
      this.#fail(`create ${request.name}`);
      const id = `id-${request.name}`;
      const container = { id, create: request, state: { status: 'created', isOutOfMemory: false } as const, lines: [] };
      this.#containers.set(id, container);
      this.log.push(`create ${request.name}`);
      return view(container);
    },
    start: async (id) => {
      const container = this.#get(id);
      this.#fail(`start ${container.create.name}`);
      container.state = { status: 'running', isOutOfMemory: false, startedAt: this.#now(), pid: 1 };
      this.log.push(`start ${container.create.name}`);
      this.#publish(container, 'start');
    },
    stop: async (id, options) => {
      const container = this.#get(id);
      if (container.state.status !== 'running') return;
      this.log.push(`stop ${container.create.name} ${options?.timeoutMs}`);
      const gate = this.stops.get(container.create.name!);
      if (gate) {
        options?.letGo?.addEventListener('abort', () => gate.reject(options.letGo?.reason as Error));
        await gate.promise;
      }
      this.exit(id, 143);
    },
    kill: async (id, signal) => {
      this.log.push(`kill ${this.#get(id).create.name} ${signal}`);
      this.exit(id, 137);
    },
    update: async (id, { resources }) => {
      const container = this.#get(id);
      this.#fail(`update ${container.create.name}`);
      container.create = { ...container.create, resources: { ...container.create.resources, ...resources } };
      this.log.push(`update ${container.create.name}`);
      return { warnings: [] };
    },
    exec: async (id, { args }) => {
      const line = args.join(' ');
      this.log.push(`exec ${this.#get(id).create.name} ${line}`);
      return exec(this.commands.get(line) ?? { exitCode: 0, output: '' });
    },
    remove: async (id) => {
      this.log.push(`remove ${this.#get(id).create.name}`);
      this.#containers.delete(this.#get(id).id);
    },
    find: async (name) => {
      const found = this.#find(name);
      return found && view(found);
    },
    list: async () => Array.from(this.#containers.values(), view),
    logs: (id, options) => this.#logs(this.#get(id), options),
  };

  /** Positions are numbers of lines. */
  async *#logs(container: FakeContainer, { fromPosition = 0, signal }: LogOptions): AsyncGenerator<LogEntry> {
    for (let at = fromPosition; ;) {
      signal.throwIfAborted();
      while (at < container.lines.length) {
        const data = Buffer.from(container.lines[at++]!);
        yield { atNs: 1_000_000n, stream: 'stdout', data, isPartial: false, nextPosition: at };
      }
      if (container.state.status !== 'running') return;
      await new Promise<void>((resolve) => {
        this.#changed.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #find(name: string): FakeContainer | undefined {
    return this.#containers.values().find(({ id, create }) => id === name || create.name === name);
  }

  #get(name: string): FakeContainer {
    const found = this.#find(name);
    if (!found) throw new DabbaError('NotFound', `no such container: ${name}`);
    return found;
  }

  #fail(action: string): void {
    const failure = this.failures.get(action);
    if (failure) throw new DabbaError(failure.kind, failure.message);
  }

  #publish({ id, create }: FakeContainer, action: string): void {
    for (const wake of this.#changed) wake();
    this.#changed.clear();
    for (const listener of this.#listeners)
      listener({ at: 0, type: 'container', action, id, attributes: { ...create.labels, name: create.name! } });
  }
}

function view({ id, create, state }: FakeContainer): Container {
  return {
    id,
    create,
    state,
    name: create.name!,
    imageId: isDigest(create.image) ? create.image : digestOf(create.image),
    process: { args: [], environment: [], workingDirectory: '/', user: '' },
    mounts: [],
    restartCount: 0,
    createdAt: 0,
    endpoints: [],
    exposedPorts: [],
    publishedPorts: [],
    warnings: [],
    files: { log: '', hosts: '', hostname: '', resolvConf: '' },
  };
}

/** A process that has done its work already. */
function exec({ exitCode, output }: { readonly exitCode: number; readonly output: string }): Exec {
  const attachment: Exec['attachment'] = {
    output: (async function* () {
      if (output) yield { stream: 'stdout' as const, data: Buffer.from(output) };
    })(),
    write: async () => undefined,
    closeInput: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  // No process has this id.
  return { id: 'exec', pid: 2 ** 30, attachment, resize: async () => undefined, wait: async () => ({ exitCode }) };
}

function image(reference: string): Image {
  const repository = reference.replace(/:[^/]*$/, '');
  return {
    id: digestOf(`config of ${reference}`),
    references: [reference],
    repoDigests: [`${repository}@${digestOf(reference)}`],
    config: {},
    architecture: 'amd64',
    os: 'linux',
    createdAt: 0,
    diffIds: [],
    history: [],
    sizeBytes: 0,
  };
}

/** Methods that a worker has no business calling. */
function unused<T>(...names: readonly (keyof T & string)[]): T {
  const refuse = (name: string) => () => {
    throw new Error(`the worker called ${name}`);
  };
  return Object.fromEntries(names.map((name) => [name, refuse(name)])) as T;
}
