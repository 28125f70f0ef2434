import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError } from '#base';
import { run, type ProcessIdentity } from '#kernel';
import type { Cgroups } from './cgroups.ts';
import { runcMessage } from './conmon.ts';
import { runcEnvironment } from './runc-program.ts';
import { openStartGate } from './start-gate.ts';
import type { OciResources } from './spec/oci.ts';

/** The runtime itself, for the steps conmon does not take. */
export class Runc {
  readonly #program: string;
  readonly #cgroups: Cgroups;
  readonly root: string;

  constructor(program: string, root: string, cgroups: Cgroups) {
    this.#program = program;
    this.#cgroups = cgroups;
    this.root = root;
  }

  /** Lets the created container's first process run. */
  async start(id: string, process: ProcessIdentity): Promise<void> {
    // A runc that makes no such gate knows best itself. Its own `start` does no more than this, as a program that takes ten times as long.
    if (!(await openStartGate(join(this.root, id, 'exec.fifo'), process))) await this.#run('start', id);
  }

  /** Kills what still runs and forgets the container and its cgroup. Absent succeeds. */
  async delete(id: string, cgroupPath?: string): Promise<void> {
    if (cgroupPath === undefined || this.#cgroups.remove(cgroupPath).length > 0)
      await this.#run('delete', '--force', id);
    else rmSync(join(this.root, id), { recursive: true, force: true });
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
    const { status, stderr } = await run(this.#program, ['--root', this.root, ...args], {
      input,
      environment: runcEnvironment,
    });
    if (status.kind === 'exited' && status.code === 0) return;
    const how = status.kind === 'exited' ? `status ${status.code}` : `signal ${status.signal}`;
    throw new DabbaError('FailedPrecondition', `runc ${args[0]}: ${runcMessage(stderr) || how}`);
  }
}
