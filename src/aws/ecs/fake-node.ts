/** For tests only. */
import { nodeRecords, type ContainerStatus, type SandboxFailure, type SandboxSpec, type SandboxStatus } from '#node';
import type { Store } from '#store';

/**
 * Stands for the node worker: it writes the statuses that a real one would, `behave` decides how a sandbox fares. Everything goes through
 * the store, as in the real thing.
 */
export class FakeNode {
  readonly #store: Store;
  readonly #signal: AbortSignal;
  behave: (spec: SandboxSpec) => SandboxFailure | 'runs' = () => 'runs';

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { specs, statuses } = nodeRecords(this.#store);
    for await (const { events } of specs.watch({ fromRevision: 1, signal: this.#signal }))
      for (const event of events) {
        if (event.kind === 'delete') await statuses.delete(event.key.slice(specs.prefix.length));
        else await this.#step(event.entry.key.slice(specs.prefix.length));
      }
  }

  /** Level-triggered as the real worker: after a restart it sees old changes again. */
  async #step(id: string): Promise<void> {
    const { specs, statuses } = nodeRecords(this.#store);
    const [spec, status] = await Promise.all([specs.get(id), statuses.get(id)]);
    if (!spec || status?.value.phase === 'stopped') return;
    if (!status || spec.value.desired === 'stopped') await this.#follow(spec.value, id);
  }

  async #follow(spec: SandboxSpec, id: string): Promise<void> {
    const { statuses } = nodeRecords(this.#store);
    const put = (status: Omit<SandboxStatus, 'id'>) =>
      this.#store.txn({ success: [statuses.put(id, { id: spec.id, ...status })] });
    const containers = (phase: ContainerStatus['phase'], more: Partial<ContainerStatus> = {}) =>
      spec.containers.map(({ name }): ContainerStatus => ({ name, phase, health: 'unknown', ...more }));
    const now = Date.now();
    if (spec.desired === 'stopped')
      return void (await put({
        phase: 'stopped',
        containers: containers('stopped', { exitCode: 137 }),
        failure: { kind: 'requested', message: '' },
        stoppedAt: now,
      }));
    const fate = this.behave(spec);
    await put({ phase: 'pulling', containers: containers('pending'), pullStartedAt: now });
    if (fate !== 'runs')
      return void (await put({ phase: 'stopped', containers: containers('stopped'), failure: fate, stoppedAt: now }));
    await put({
      phase: 'running',
      containers: containers('running', { runtimeId: 'r1', imageDigest: 'sha256:abc' }),
      pullStartedAt: now,
      pullStoppedAt: now,
      startedAt: now,
    });
  }

  /** What a health check's verdict looks like from here. */
  async judge(health: ContainerStatus['health']): Promise<void> {
    const { statuses } = nodeRecords(this.#store);
    for (const { id } of await statuses.list())
      await statuses.update(id, (status) => ({
        ...status,
        containers: status.containers.map((container) => ({ ...container, health })),
      }));
  }

  /** What a container's end looks like from here. */
  async end(taskId: string, failure: SandboxFailure, exitCode: number): Promise<void> {
    const { statuses } = nodeRecords(this.#store);
    const seen = (await statuses.list()).find(({ value }) => value.id === taskId)!;
    await statuses.update(seen.id, (status) => ({
      ...status,
      phase: 'stopped',
      failure,
      containers: status.containers.map((container) => ({ ...container, phase: 'stopped', exitCode })),
    }));
  }
}
