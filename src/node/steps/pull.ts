import { messageOf } from '#base';
import type { Image } from '#engine';
import { attempt } from '../attempts.ts';
import type { WorkerContext } from '../context.ts';
import { cannotStart } from '../failure.ts';
import type { ContainerSpec, SandboxSpec } from '../sandbox.ts';

/** Brings a container's image here with the sandbox's own credentials. Fails as `CannotPullContainerError`. */
export async function pull(
  { services, engine, clock }: WorkerContext,
  sandbox: SandboxSpec,
  container: ContainerSpec,
  signal: AbortSignal,
): Promise<Image> {
  const { image } = container;
  const credentials = await attempt(clock, signal, () => services.pullCredentials(sandbox, image, signal)).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      throw cannotStart('CannotPullContainerError', messageOf(error), container.name);
    },
  );
  let attempts = 0;
  try {
    return await attempt(clock, signal, () => {
      attempts++;
      return engine.images.pull(image, { signal, ...(credentials && { credentials }) });
    });
  } catch (error) {
    signal.throwIfAborted();
    throw cannotStart(
      'CannotPullContainerError',
      `pull image manifest has been retried ${attempts} time(s): failed to resolve ref ${image}: ${messageOf(error)}`,
      container.name,
    );
  }
}
