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

/** An image that a container waits for. */
interface Wanted {
  /** Its place in `run.images`. */
  readonly key: string;
  readonly reference: string;
  readonly policy: string;
  /** The run of the container that it is for; 0 for one that all runs of the pod share. */
  readonly attempt: number;
  /** Who waits for it. */
  readonly container: PodContainer;
  /** Whom its events are about; undefined: the pod as a whole. */
  readonly subject: PodContainer | undefined;
}

/** Sees to it that a container's image is here, by its `imagePullPolicy`. Why it is not yet is put down in `run.waiting`. */
export async function ensureImage(run: PodRun, container: PodContainer, attempt: number): Promise<ImageAnswer> {
  const { name, image: reference = '', imagePullPolicy } = container.spec;
  const policy = policyOf(reference, imagePullPolicy);
  return await ensure(run, { key: name, reference, policy, attempt, container, subject: container });
}

/**
 * The same of the images that a container mounts as volumes, by their `pullPolicy`, once a pod. True when all are here (`Image`, "image" volumes, Kubernetes documentation).
 */
export async function ensureVolumeImages(
  run: PodRun,
  container: PodContainer,
): Promise<true | { readonly retryAt: number | undefined }> {
  for (const { name } of container.spec.volumeMounts ?? []) {
    const image = run.pod.spec?.volumes?.find((volume) => volume.name === name)?.image;
    if (!image) continue;
    const { reference = '', pullPolicy } = image;
    const wanted = { key: volumeKey(name), reference, policy: policyOf(reference, pullPolicy), attempt: 0 };
    const answer = await ensure(run, { ...wanted, container, subject: undefined });
    if (!('image' in answer)) return answer;
  }
  return true;
}

/** The id of the image that a volume is, once it is here. */
export function volumeImage(run: PodRun, volume: string): string | undefined {
  const state = run.images.get(volumeKey(volume));
  return state?.kind === 'here' ? state.image.id : undefined;
}

/** No container has such a name. */
const volumeKey = (name: string): string => `volume/${name}`;

async function ensure(run: PodRun, wanted: Wanted): Promise<ImageAnswer> {
  const { key, reference, policy, attempt, subject } = wanted;
  const state = run.images.get(key);
  if (state?.kind === 'here' && state.attempt === attempt) return { image: state.image };
  if (run.tasks.has(`pull/${key}`)) return { retryAt: undefined };
  if (state?.kind === 'failed' && run.context.clock.now() < state.retryAt)
    return { retryAt: backOff(run, wanted, state) };
  if (policy !== 'Always') {
    const found = await find(run, wanted);
    if (found === 'invalid') return { retryAt: undefined };
    if (found) {
      run.images.set(key, { kind: 'here', image: found, attempt });
      run.event('Normal', 'Pulled', `Container image "${reference}" already present on machine`, subject);
      return { image: found };
    }
    if (policy === 'Never') {
      const message = `Container image "${reference}" is not present with pull policy of Never`;
      fail(run, wanted, { reason: 'ErrImageNeverPull', message });
      return { retryAt: undefined };
    }
  }
  run.tasks.begin(`pull/${key}`, (signal) => pull(run, wanted, signal));
  return { retryAt: undefined };
}

function policyOf(reference: string, asked: string | undefined): string {
  if (asked) return asked;
  return /:(?!latest$)[^/]+$/.test(reference) ? 'IfNotPresent' : 'Always';
}

async function find(run: PodRun, wanted: Wanted): Promise<Image | undefined | 'invalid'> {
  try {
    return await run.context.engine.images.find(wanted.reference);
  } catch (error) {
    if (!isDabbaError(error, 'InvalidArgument')) throw error;
    invalidName(run, wanted, error);
    return 'invalid';
  }
}

async function pull(run: PodRun, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const { key, reference, attempt, subject } = wanted;
  const { clock } = run.context;
  const beganAt = clock.now();
  run.event('Normal', 'Pulling', `Pulling image "${reference}"`, subject);
  try {
    const image = await pullWithAny(run, reference, signal);
    const took = `${((clock.now() - beganAt) / 1000).toFixed(3)}s`;
    run.images.set(key, { kind: 'here', image, attempt });
    run.event(
      'Normal',
      'Pulled',
      `Successfully pulled image "${reference}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`,
      subject,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (isDabbaError(error, 'InvalidArgument')) return invalidName(run, wanted, error);
    const before = run.images.get(key);
    const backoffMs = doubled(before?.kind === 'failed' ? before.backoffMs : 0);
    const message = `failed to pull and unpack image "${reference}": ${messageOf(error)}`;
    const waiting = { reason: 'ErrImagePull', message };
    run.images.set(key, { kind: 'failed', waiting, message, retryAt: clock.now() + backoffMs, backoffMs });
    run.event('Warning', 'Failed', `Failed to pull image "${reference}": ${message}`, subject);
    fail(run, wanted, waiting);
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
function backOff(run: PodRun, wanted: Wanted, state: Extract<ImageState, { kind: 'failed' }>): number {
  const { name } = wanted.container.spec;
  const before = run.waiting.get(name);
  const tellsAt = state.retryAt - state.backoffMs / 2;
  if (run.context.clock.now() < tellsAt) return tellsAt;
  const words = `Back-off pulling image "${wanted.reference}"`;
  if (before?.reason === 'ImagePullBackOff') return state.retryAt;
  run.event('Normal', 'BackOff', words, wanted.subject);
  run.event('Warning', 'Failed', 'Error: ImagePullBackOff', wanted.subject);
  const message = `${words}: ErrImagePull: ${state.message}`;
  run.waiting.set(name, { reason: 'ImagePullBackOff', message });
  return state.retryAt;
}

function fail(
  run: PodRun,
  { container, subject }: Wanted,
  waiting: { readonly reason: string; readonly message: string },
): void {
  if (run.waiting.get(container.spec.name)?.reason !== waiting.reason)
    run.event('Warning', 'Failed', `Error: ${waiting.reason}`, subject);
  run.waiting.set(container.spec.name, waiting);
}

function invalidName(run: PodRun, { reference, container, subject }: Wanted, error: unknown): void {
  const { name } = container.spec;
  const message = `Failed to apply default image tag "${reference}": couldn't parse image name "${reference}": ${messageOf(error)}`;
  if (run.waiting.get(name)?.reason !== 'InvalidImageName') {
    run.event('Warning', 'InspectFailed', message, subject);
    run.event('Warning', 'Failed', 'Error: InvalidImageName', subject);
  }
  run.waiting.set(name, { reason: 'InvalidImageName', message });
}
