import { type DabbaError, isDabbaError, messageOf } from '#base';
import type { Image, RegistryCredentials } from '#engine';
import { secrets } from '../../../resources.ts';
import type * as types from '../../../types.ts';
import { credentialsFor } from '../../container/pull-secrets.ts';
import { doubled, durationText } from '../backoff.ts';
import type { PodContainer } from '../containers.ts';
import type { ImageState, PodRun } from '../run.ts';

/** An image for a run of a container, or when to ask again; without a time, something under way will wake the pod. */
export type ImageAnswer = { readonly image: Image } | { readonly retryAt: number | undefined };

/** Sees to it that a container's image is here, by its `imagePullPolicy`. Why it is not yet is put down in `run.waiting`. */
export async function ensureImage(run: PodRun, container: PodContainer, attempt: number): Promise<ImageAnswer> {
  const { name, image: reference = '' } = container.spec;
  const state = run.images.get(name);
  if (state?.kind === 'here' && state.attempt === attempt) return { image: state.image };
  if (run.tasks.has(`pull/${name}`)) return { retryAt: undefined };
  if (state?.kind === 'failed' && run.context.clock.now() < state.retryAt)
    return { retryAt: backOff(run, container, state) };
  const policy = policyOf(container.spec);
  if (policy !== 'Always') {
    const found = await find(run, container, reference);
    if (found === 'invalid') return { retryAt: undefined };
    if (found) {
      run.images.set(name, { kind: 'here', image: found, attempt });
      run.event('Normal', 'Pulled', `Container image "${reference}" already present on machine`, container);
      return { image: found };
    }
    if (policy === 'Never') {
      const message = `Container image "${reference}" is not present with pull policy of Never`;
      fail(run, container, { reason: 'ErrImageNeverPull', message });
      return { retryAt: undefined };
    }
  }
  run.tasks.begin(`pull/${name}`, (signal) => pull(run, container, { attempt, signal }));
  return { retryAt: undefined };
}

function policyOf({ imagePullPolicy, image = '' }: types.Container): string {
  if (imagePullPolicy) return imagePullPolicy;
  return /:(?!latest$)[^/]+$/.test(image) ? 'IfNotPresent' : 'Always';
}

async function find(run: PodRun, container: PodContainer, reference: string): Promise<Image | undefined | 'invalid'> {
  try {
    return await run.context.engine.images.find(reference);
  } catch (error) {
    if (!isDabbaError(error, 'InvalidArgument')) throw error;
    invalidName(run, container, error);
    return 'invalid';
  }
}

async function pull(
  run: PodRun,
  container: PodContainer,
  { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal },
): Promise<void> {
  const { name, image: reference = '' } = container.spec;
  const { clock } = run.context;
  const beganAt = clock.now();
  run.event('Normal', 'Pulling', `Pulling image "${reference}"`, container);
  try {
    const image = await pullWithAny(run, reference, signal);
    const took = `${((clock.now() - beganAt) / 1000).toFixed(3)}s`;
    run.images.set(name, { kind: 'here', image, attempt });
    run.event(
      'Normal',
      'Pulled',
      `Successfully pulled image "${reference}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`,
      container,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (isDabbaError(error, 'InvalidArgument')) return invalidName(run, container, error);
    const before = run.images.get(name);
    const backoffMs = doubled(before?.kind === 'failed' ? before.backoffMs : 0);
    const message = `failed to pull and unpack image "${reference}": ${messageOf(error)}`;
    const waiting = { reason: 'ErrImagePull', message };
    run.images.set(name, { kind: 'failed', waiting, message, retryAt: clock.now() + backoffMs, backoffMs });
    run.event('Warning', 'Failed', `Failed to pull image "${reference}": ${message}`, container);
    fail(run, container, waiting);
    run.context.logger.info('an image pull backs off', {
      pod: run.ref.name,
      image: reference,
      pause: durationText(backoffMs),
    });
  }
}

/** With each of the pull secrets' credentials for the image, then the node's own, then none. */
async function pullWithAny(run: PodRun, reference: string, signal: AbortSignal): Promise<Image> {
  const { engine, services, node } = run.context;
  let refused: DabbaError | undefined;
  const attempt = async (credentials: RegistryCredentials | undefined): Promise<Image | undefined> => {
    try {
      return await engine.images.pull(reference, { signal, ...(credentials && { credentials }) });
    } catch (error) {
      if (!isDabbaError(error, 'Unauthenticated') && !isDabbaError(error, 'PermissionDenied')) throw error;
      refused ??= error;
      return undefined;
    }
  };
  for (const credentials of credentialsFor(reference, await pullSecrets(run))) {
    const image = await attempt(credentials);
    if (image) return image;
  }
  const image = await attempt(await services.pullCredentials(node, reference, signal));
  if (image) return image;
  throw refused!;
}

async function pullSecrets({ context, pod, ref }: PodRun): Promise<readonly types.Secret[]> {
  const found = await Promise.all(
    (pod.spec?.imagePullSecrets ?? []).map(async ({ name = '' }) =>
      context.objects.get(secrets, { namespace: ref.namespace, name }, ref.uid),
    ),
  );
  return found.filter((secret) => secret !== undefined);
}

/** Tells of the failure for a while, then of the pause. Returns when to look again. */
function backOff(run: PodRun, container: PodContainer, state: Extract<ImageState, { kind: 'failed' }>): number {
  const before = run.waiting.get(container.spec.name);
  const tellsAt = state.retryAt - state.backoffMs / 2;
  if (run.context.clock.now() < tellsAt) return tellsAt;
  const words = `Back-off pulling image "${container.spec.image}"`;
  if (before?.reason === 'ImagePullBackOff') return state.retryAt;
  run.event('Normal', 'BackOff', words, container);
  run.event('Warning', 'Failed', 'Error: ImagePullBackOff', container);
  const message = `${words}: ErrImagePull: ${state.message}`;
  run.waiting.set(container.spec.name, { reason: 'ImagePullBackOff', message });
  return state.retryAt;
}

function fail(
  run: PodRun,
  container: PodContainer,
  waiting: { readonly reason: string; readonly message: string },
): void {
  if (run.waiting.get(container.spec.name)?.reason !== waiting.reason)
    run.event('Warning', 'Failed', `Error: ${waiting.reason}`, container);
  run.waiting.set(container.spec.name, waiting);
}

function invalidName(run: PodRun, container: PodContainer, error: unknown): void {
  const { name, image } = container.spec;
  const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${messageOf(error)}`;
  if (run.waiting.get(name)?.reason !== 'InvalidImageName') {
    run.event('Warning', 'InspectFailed', message, container);
    run.event('Warning', 'Failed', 'Error: InvalidImageName', container);
  }
  run.waiting.set(name, { reason: 'InvalidImageName', message });
}
