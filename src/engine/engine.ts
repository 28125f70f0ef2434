import type { Builder } from './builder.ts';
import type { Containers } from './containers.ts';
import type { ContainerFiles } from './files.ts';
import type { Images } from './images.ts';
import type { Networks } from './networks.ts';
import type { Volumes } from './volumes.ts';

export type * from './builder.ts';
export type * from './container-create.ts';
export type * from './containers.ts';
export type * from './files.ts';
export type * from './image-archive.ts';
export type * from './images.ts';
export type * from './networks.ts';
export type * from './stats.ts';
export type * from './streams.ts';
export type * from './volumes.ts';

/**
 * The container engine of one machine: images, containers, builds. It speaks neither Docker nor CRI; `docker/` and `node/` translate.
 *
 * **Vocabulary.** OCI's: *manifest, descriptor, digest, diff ID, chain ID, layer*. An *image reference* is `[host/]name[:tag|@digest]`,
 * normalised as Docker does (`debian` is `docker.io/library/debian:latest`). An *image* is named by the digest of its config (the image ID).
 * A *container* is one image plus one read/write layer, created, running or stopped. An *exec* is a further process in a running container.
 *
 * **Lifecycle.** All truth is on disk under the engine's directory. Containers are children of conmon, not of us: they outlive the process.
 * `start` of the engine rescans, adopts what runs, collects exits that happened meanwhile, and removes what was half made. `stop` lets go
 * and leaves containers running. `destroy` ends everything that runs and leaves no process, mount or cgroup; containers stay on disk as
 * `exited` with their read/write layer, and a restart policy brings them back at the next `start`. It may be called without `start`.
 * `images`, `containers`, `volumes` and `builder` may be handed on at once; until `start` their methods throw `Unavailable`.
 *
 * **Example.** `await engine.images.pull(ref, { credentials, signal })`, `const c = await engine.containers.create({ image: ref, … })`,
 * `await engine.containers.start(c.id)`, `const { exitCode } = await engine.containers.wait(c.id, 'stopped', signal)`.
 *
 * Errors are `DabbaError`: `NotFound`, `AlreadyExists` (name in use), `Conflict` (wrong state), `InvalidArgument`, `PermissionDenied` and
 * `Unauthenticated` (a registry said no), `Unavailable` (registry or kernel), `ResourceExhausted` (disk full), `Unimplemented`.
 */
export interface Engine {
  readonly images: Images;
  readonly containers: Containers;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly files: ContainerFiles;
  readonly builder: Builder;
  /** Image, container and volume events from now on, as they happen. */
  events(signal: AbortSignal): AsyncIterable<EngineEvent>;
  start(): Promise<void>;
  stop(): Promise<void>;
  destroy(): Promise<void>;
}

export interface EngineEvent {
  readonly at: number;
  readonly type: 'container' | 'image' | 'volume' | 'network';
  /** Docker's words: create, start, die, destroy, oom, kill, exec_start, pull, push, tag, untag, delete, … */
  readonly action: string;
  readonly id: string;
  readonly attributes: { readonly [name: string]: string };
}
