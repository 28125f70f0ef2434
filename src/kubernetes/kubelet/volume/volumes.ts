import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DabbaError, isoSeconds } from '#base';
import type { DeviceMapping, Mount } from '#engine';
import { quantityValue } from '../../quantity.ts';
import { configMaps, secrets } from '../../resources.ts';
import type * as types from '../../types.ts';
import type { DownwardFacts } from '../container/field-ref.ts';
import { expand } from '../container/expand.ts';
import type { KubeletContext } from '../context.ts';
import { podRefOf } from '../identity.ts';
import { podResourcesOf } from '../pod/resources.ts';
import { claimPlace, type VolumePlace } from './claims.ts';
import { checkPath, writeAtomically } from './files.ts';
import { beneath, type HostPlace, hostPlace, makeDirectory } from './host-path.ts';
import { giveToGroup } from './ownership.ts';
import { isProjection, project } from './projections.ts';
import { PodTokens } from './tokens.ts';

/** A volume could not be made; `name` is the volume's. */
export class VolumeFailed extends Error {
  readonly volume: string;

  constructor(volume: string, cause: unknown) {
    super(
      `MountVolume.SetUp failed for volume "${volume}" : ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
    this.name = 'VolumeFailed';
    this.volume = volume;
  }
}

/** The volumes of one pod: made before its first container, kept true while it runs, unmade after the last. */
export class PodVolumes {
  readonly #context: KubeletContext;
  readonly #uid: string;
  readonly #tokens: PodTokens;
  readonly #places = new Map<string, VolumePlace>();

  constructor(context: KubeletContext, pod: types.Pod) {
    const ref = podRefOf(pod);
    this.#context = context;
    this.#uid = ref.uid;
    const serviceAccount = pod.spec?.serviceAccountName || 'default';
    this.#tokens = new PodTokens(context.client, context.clock, { ...ref, serviceAccount });
  }

  /** When what the volumes hold wants looking after at the latest. */
  get refreshAt(): number | undefined {
    return this.#tokens.refreshAt;
  }

  /** Makes every volume. Repeating it writes anew what changed in ConfigMaps, Secrets and the pod itself. Throws `VolumeFailed`. */
  async mount(pod: types.Pod, facts: DownwardFacts, signal: AbortSignal): Promise<void> {
    await Promise.all(
      (pod.spec?.volumes ?? []).map(async (volume) => {
        // An image is had by reference when a container begins.
        if (volume.image || (this.#places.has(volume.name) && !isProjection(volume))) return;
        try {
          this.#places.set(volume.name, await this.#make(pod, volume, { facts, signal }));
        } catch (error) {
          signal.throwIfAborted();
          throw new VolumeFailed(volume.name, error);
        }
      }),
    );
  }

  /**
   * The mounts of one container; `imageOf` gives the image that a volume is. Those are read-only and nothing in them runs ("image" volumes, Kubernetes documentation).
   * Throws `FailedPrecondition` for a subPath that leads nowhere.
   */
  async mountsOf(
    container: types.Container,
    variables: ReadonlyMap<string, string>,
    imageOf: (volume: string) => string | undefined,
  ): Promise<readonly Mount[]> {
    const mounts: Mount[] = [];
    for (const { name, mountPath, subPath, subPathExpr, readOnly, mountPropagation } of container.volumeMounts ?? []) {
      const inner = subPath || (subPathExpr && expand(subPathExpr, variables));
      const image = imageOf(name);
      if (image !== undefined) {
        if (inner) checkPath(inner);
        mounts.push({ kind: 'image', image, target: mountPath, isDataOnly: true, ...(inner && { subpath: inner }) });
        continue;
      }
      const place = this.#places.get(name);
      if (!place) throw new DabbaError('FailedPrecondition', `no volume "${name}" for container "${container.name}"`);
      if (place.isDevice) throw wrongMode(name, 'Block', 'volumeMounts');
      const source = inner ? await this.#subPath(place.path, inner, name) : place.path;
      const isReadOnly = readOnly === true || place.isReadOnly;
      mounts.push({
        kind: 'bind',
        source,
        target: mountPath,
        isReadOnly,
        propagation: propagations[mountPropagation ?? 'None'] ?? 'rprivate',
      });
    }
    return mounts;
  }

  /** The block devices of one container. Throws `FailedPrecondition` for a volume that is none. */
  devicesOf({ name: container, volumeDevices = [] }: types.Container): readonly DeviceMapping[] {
    return volumeDevices.map(({ name, devicePath }) => {
      const place = this.#places.get(name);
      if (!place) throw new DabbaError('FailedPrecondition', `no volume "${name}" for container "${container}"`);
      if (!place.isDevice) throw wrongMode(name, 'Filesystem', 'volumeDevices');
      return { hostPath: place.path, containerPath: devicePath, permissions: place.isReadOnly ? 'rm' : 'rwm' };
    });
  }

  /** Where a volume lies, once it was made. */
  pathOf(name: string): string | undefined {
    return this.#places.get(name)?.path;
  }

  /** What was made is no more: it was let go with the pod's other holdings. */
  forget(): void {
    this.#places.clear();
  }

  async #make(
    pod: types.Pod,
    volume: types.Volume,
    { facts, signal }: { readonly facts: DownwardFacts; readonly signal: AbortSignal },
  ): Promise<VolumePlace> {
    const { places, clock } = this.#context;
    const { emptyDir, hostPath, persistentVolumeClaim, ephemeral } = volume;
    const { namespace, name } = podRefOf(pod);
    const fsGroup = pod.spec?.securityContext?.fsGroup;
    if (isProjection(volume)) {
      // What may be secret stays in memory.
      const isOpen = volume.configMap !== undefined || volume.downwardAPI !== undefined;
      const path = isOpen ? this.#disk(volume.name) : join(this.#memory(), volume.name);
      const stamp = `${isoSeconds(clock.now()).replaceAll(/[-:TZ]/g, '_')}${this.#context.random.hex(8)}`;
      const files = await project(pod, volume, this.#sources(namespace, facts, signal));
      await writeAtomically(path, files, { stamp, fsGroup });
      return { path, isReadOnly: true, isDevice: false };
    }
    if (emptyDir) return { ...(await this.#makeEmpty(pod, volume.name, emptyDir)), isDevice: false };
    if (hostPath) return { ...(await hostPlace(places.root, hostPath.path, hostPath.type)), isDevice: false };
    const claim = persistentVolumeClaim?.claimName ?? (ephemeral && `${name}-${volume.name}`);
    if (claim === undefined) throw new DabbaError('FailedPrecondition', 'this kind of volume cannot be mounted here');
    const place = await claimPlace(this.#context, { namespace, name: claim }, signal);
    const policy = pod.spec?.securityContext?.fsGroupChangePolicy;
    if (fsGroup !== undefined && !place.isDevice)
      await giveToGroup(place.path, { gid: fsGroup, ...(policy && { policy }) });
    return persistentVolumeClaim?.readOnly ? { ...place, isReadOnly: true } : place;
  }

  async #makeEmpty(
    pod: types.Pod,
    name: string,
    { medium, sizeLimit }: NonNullable<types.Volume['emptyDir']>,
  ): Promise<HostPlace> {
    const path = this.#disk(name);
    await mkdir(path, { recursive: true });
    if (medium === 'Memory') {
      const { allocatable, memoryFiles } = this.#context;
      const bounds = [sizeLimit ? quantityValue(sizeLimit) : undefined, podResourcesOf(pod).memoryLimitBytes];
      const sizeBytes = Math.min(...bounds.filter((bound) => bound !== undefined), allocatable.memoryBytes);
      memoryFiles.ensure(path, { sizeBytes, mode: 0o777 });
    }
    const isNew = ((await stat(path)).mode & 0o777) !== 0o777;
    // Past the umask.
    if (isNew) await chmod(path, 0o777);
    const gid = pod.spec?.securityContext?.fsGroup;
    if (gid !== undefined) await giveToGroup(path, { gid, policy: 'OnRootMismatch' });
    return { path, isReadOnly: false };
  }

  #sources(namespace: string, facts: DownwardFacts, signal: AbortSignal): Parameters<typeof project>[2] {
    const { objects, allocatable } = this.#context;
    return {
      facts,
      allocatable,
      configMap: (name) => objects.get(configMaps, { namespace, name }, this.#uid),
      secret: (name) => objects.get(secrets, { namespace, name }, this.#uid),
      token: ({ audience, expirationSeconds }) => this.#tokens.get(audience, expirationSeconds, signal),
    };
  }

  /** The true place of a path within a volume; made when it is not there. What is in the volume is others' work: links that lead out of it lead nowhere. */
  async #subPath(root: string, path: string, volume: string): Promise<string> {
    checkPath(path);
    const found = beneath(root, `/${path}`);
    if (found !== undefined) return found;
    try {
      return await makeDirectory(root, `/${path}`, 0o750);
    } catch (error) {
      throw new DabbaError('FailedPrecondition', `failed to create subPath directory for volumeMount "${volume}"`, {
        cause: error,
      });
    }
  }

  #disk(name: string): string {
    return join(this.#context.local.folder(this.#uid), 'volumes', encodeURIComponent(name));
  }

  #memory(): string {
    return join(this.#context.places.memory, encodeURIComponent(this.#uid));
  }
}

/** In upstream's words. */
function wrongMode(volume: string, mode: string, field: string): DabbaError {
  return new DabbaError('FailedPrecondition', `volume ${volume} has volumeMode ${mode}, but is specified in ${field}`);
}

const propagations: { readonly [word: string]: 'rprivate' | 'rslave' | 'rshared' | undefined } = {
  None: 'rprivate',
  HostToContainer: 'rslave',
  Bidirectional: 'rshared',
};
