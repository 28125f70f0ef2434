import { isDabbaError } from '#base';
import type { WorkerContext } from '../context.ts';
import { hasEnded, hasRun, nextToStop } from '../dependencies.ts';
import { findContainers } from '../identity.ts';
import { type SandboxSpec, sandboxKey } from '../sandbox.ts';
import { containerStatus } from '../status.ts';
import type { StatusWriter } from '../status-writer.ts';
import { cgroupOf } from './prepare.ts';
import { release } from './release.ts';

/**
 * Ends a sandbox in phase `stopping`: dependents first, each with its own time to leave; then its exit codes are recorded, its last lines
 * delivered, and everything that the kernel holds of it is let go. Only then is it `stopped`. `letGo` aborts when the worker goes: the
 * containers that were told to leave are not waited for, and the next worker takes up where this one stood.
 */
export async function stop(
  context: WorkerContext,
  sandbox: SandboxSpec,
  { status, letGo }: { readonly status: StatusWriter; readonly letGo: AbortSignal },
): Promise<void> {
  await stopContainers(context, sandbox, letGo);
  const containers = await findContainers(context.engine.containers, sandbox);
  for (const spec of sandbox.containers) {
    const container = containers.get(spec.name);
    if (hasRun(container)) context.logs.follow(sandbox, spec, container.id);
    const seen = containerStatus(spec, container, status.container(spec.name));
    status.updateContainer(spec.name, { ...seen, phase: 'stopped' });
  }
  // Before the containers go, for nothing else remembers how they ended.
  await status.flush();
  const key = sandboxKey(sandbox);
  await context.logs.delivered(key);
  await release(context, key, {
    containerIds: Array.from(containers.values(), ({ id }) => id),
    networkInterfaceId: sandbox.networkInterfaceId,
    cgroup: cgroupOf(context, sandbox),
  });
  status.update({ phase: 'stopped', stoppedAt: context.clock.now() });
}

async function stopContainers({ engine }: WorkerContext, sandbox: SandboxSpec, letGo: AbortSignal): Promise<void> {
  for (;;) {
    letGo.throwIfAborted();
    const containers = await findContainers(engine.containers, sandbox);
    const running = sandbox.containers.filter(({ name }) => {
      const container = containers.get(name);
      return hasRun(container) && !hasEnded(container);
    });
    if (!running.length) return;
    await Promise.all(
      nextToStop(running).map(async (spec) => {
        try {
          await engine.containers.stop(containers.get(spec.name)!.id, { timeoutMs: spec.stopTimeoutMs, letGo });
        } catch (error) {
          // Somebody removed it meanwhile.
          if (!isDabbaError(error, 'NotFound')) throw error;
        }
      }),
    );
  }
}
