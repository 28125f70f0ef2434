import { messageOf } from '#base';
import type { Container } from '#engine';
import type * as types from '../../../types.ts';
import { probeHttp } from '../../probe/http.ts';
import { portOf } from '../../probe/probe.ts';
import type { PodContainer } from '../containers.ts';
import type { PodRun } from '../run.ts';
import { probeTarget } from '../target.ts';

type Handler = NonNullable<NonNullable<types.Container['lifecycle']>['preStop']>;

/**
 * Runs what a container wants done right after its start. Until it has returned, the next container is not started; if it fails, the container is ended ("Container Lifecycle
 * Hooks", Kubernetes documentation).
 */
export function runPostStart(run: PodRun, container: PodContainer, { id }: Container): void {
  const handler = container.spec.lifecycle?.postStart;
  if (!handler) return;
  run.hooks.add(id);
  run.tasks.begin(`hook/${id}`, async (signal) => {
    try {
      await handle(run, container, { id, handler, signal });
    } catch (error) {
      signal.throwIfAborted();
      run.event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${messageOf(error)}`, container);
      run.doomed.set(id, { message: 'FailedPostStartHook', graceMs: run.graceMs });
    } finally {
      run.hooks.delete(id);
    }
  });
}

/** Runs what a container wants done before its end. A failure is told and changes nothing. */
export async function runPreStop(
  run: PodRun,
  container: PodContainer,
  { id, signal }: { readonly id: string; readonly signal: AbortSignal },
): Promise<void> {
  const handler = container.spec.lifecycle?.preStop;
  if (!handler) return;
  try {
    await handle(run, container, { id, handler, signal });
  } catch (error) {
    run.event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${messageOf(error)}`, container);
  }
}

/** Throws when the hook fails. */
async function handle(
  run: PodRun,
  { spec }: PodContainer,
  { id, handler, signal }: { readonly id: string; readonly handler: Handler; readonly signal: AbortSignal },
): Promise<void> {
  const target = probeTarget(run, spec, { id });
  const { exec, httpGet, sleep } = handler;
  if (exec) {
    const command = exec.command ?? [];
    const { exitCode, output } = await target.run(command, signal);
    if (exitCode !== 0) throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: ${output.trimEnd()}`);
  }
  if (httpGet) {
    const port = portOf(spec, httpGet.port);
    if (port === undefined) throw new Error(`couldn't find port: ${httpGet.port}`);
    const outcome = await probeHttp(target, { action: httpGet, port }, signal);
    if (!outcome.isSuccess) throw new Error(outcome.message);
  }
  // The hook itself asks for time to pass.
  if (sleep) await run.context.clock.sleep(sleep.seconds * 1000, signal);
}
