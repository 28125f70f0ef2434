import { type Clock, type Logger, messageOf } from '#base';
import type { Containers } from '#engine';
import type { LocalSandboxes } from '../local.ts';
import type { LogSink, SandboxServices } from '../ports.ts';
import { type ContainerSpec, type SandboxSpec, sandboxKey } from '../sandbox.ts';
import { forward } from './forwarder.ts';

export interface LogForwardersOptions {
  readonly containers: Containers;
  readonly services: SandboxServices;
  readonly local: LocalSandboxes;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long the end of a sandbox waits for its last lines to be delivered. */
const LAST_LINES_MS = 30_000;

interface Forwarding {
  /** Opened before the container starts, taken by the forwarder. */
  sink: LogSink | undefined;
  done: Promise<void> | undefined;
  readonly stop: AbortController;
}

/** The logs under way, of every sandbox on this machine. */
export class LogForwarders {
  readonly #options: LogForwardersOptions;
  readonly #forwardings = new Map<string, Map<string, Forwarding>>();

  constructor(options: LogForwardersOptions) {
    this.#options = options;
  }

  /** Opens where a container's output will go. Throws what the port throws. Repeatable. */
  async open(sandbox: SandboxSpec, container: ContainerSpec, signal: AbortSignal): Promise<void> {
    if (!container.log) return;
    const forwarding = this.#forwarding(sandbox, container);
    if (forwarding.sink || forwarding.done) return;
    forwarding.sink = await this.#options.services.openLog(sandbox, container, signal);
  }

  /** Sees to it that the output of a container that has been started is delivered. Repeatable. */
  follow(sandbox: SandboxSpec, container: ContainerSpec, containerId: string): void {
    if (!container.log) return;
    const { services, local, ...rest } = this.#options;
    const forwarding = this.#forwarding(sandbox, container);
    forwarding.done ??= forward({
      ...rest,
      containerId,
      positionPath: local.logPosition(sandboxKey(sandbox), container.name),
      signal: forwarding.stop.signal,
      open: async (signal) => {
        const { sink } = forwarding;
        forwarding.sink = undefined;
        return sink ?? (await services.openLog(sandbox, container, signal));
      },
    }).catch((error: unknown) => rest.logger.error('log delivery failed', { containerId, error: messageOf(error) }));
  }

  /** Resolves when everything that ended containers of the sandbox have printed is delivered, or after a while. */
  async delivered(key: string): Promise<void> {
    const all = Array.from(this.#forwardings.get(key)?.values() ?? [], async ({ done }) => await done);
    const inTime = new AbortController();
    const late = this.#options.clock.sleep(LAST_LINES_MS, inTime.signal).then(
      () => this.#options.logger.warn('the last lines of a log could not be delivered in time', { sandbox: key }),
      () => undefined,
    );
    await Promise.race([Promise.all(all), late]);
    inTime.abort();
  }

  /** Ends the sandbox's deliveries where they are. */
  async drop(key: string): Promise<void> {
    const forwardings = Array.from(this.#forwardings.get(key)?.values() ?? []);
    this.#forwardings.delete(key);
    await Promise.all(
      forwardings.map(async ({ sink, done, stop }) => {
        stop.abort();
        await done;
        await sink?.close();
      }),
    );
  }

  /** Ends all; what is undelivered is taken up by the next worker. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#forwardings.keys(), (key) => this.drop(key)));
  }

  #forwarding(sandbox: SandboxSpec, container: ContainerSpec): Forwarding {
    const key = sandboxKey(sandbox);
    const ofSandbox = this.#forwardings.getOrInsertComputed(key, () => new Map<string, Forwarding>());
    return ofSandbox.getOrInsertComputed(container.name, () => ({
      sink: undefined,
      done: undefined,
      stop: new AbortController(),
    }));
  }
}
