import { DabbaError } from '#base';
import { run } from '#kernel';
import { runcMessage } from './conmon.ts';
import type { OciResources } from './spec/oci.ts';

/** The runtime itself, for the steps conmon does not take. */
export class Runc {
  readonly #program: string;
  readonly root: string;

  constructor(program: string, root: string) {
    this.#program = program;
    this.root = root;
  }

  /** Lets the created container's first process run. */
  async start(id: string): Promise<void> {
    await this.#run('start', id);
  }

  /** Kills what still runs and forgets the container and its cgroup. Absent succeeds. */
  async delete(id: string): Promise<void> {
    await this.#run('delete', '--force', id);
  }

  async pause(id: string): Promise<void> {
    await this.#run('pause', id);
  }

  async resume(id: string): Promise<void> {
    await this.#run('resume', id);
  }

  /** Sets the limits of a running container. What `resources` leaves out, and zero, stay as they are. */
  async update(id: string, resources: OciResources): Promise<void> {
    await this.#runWith(JSON.stringify(resources), 'update', '--resources', '-', id);
  }

  async #run(...args: readonly string[]): Promise<void> {
    await this.#runWith('', ...args);
  }

  async #runWith(input: string, ...args: readonly string[]): Promise<void> {
    const { status, stderr } = await run(this.#program, ['--root', this.root, ...args], { input });
    if (status.kind === 'exited' && status.code === 0) return;
    const how = status.kind === 'exited' ? `status ${status.code}` : `signal ${status.signal}`;
    throw new DabbaError('FailedPrecondition', `runc ${args[0]}: ${runcMessage(stderr) || how}`);
  }
}
