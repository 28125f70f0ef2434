import type { Clock, Digest, Random } from '#base';
import type { Builder, Container, ContainerCreate, Containers, Images } from '../engine.ts';
import type { ImageInternals, ResolvedImage } from '../image/internals.ts';
import type { Archives } from '../layer/archives.ts';

/** What a builder is made from. `create.ts` of the engine supplies it. */
export interface BuilderParts {
  /** A directory of the builder's own, made if absent: the build cache, cache mounts. On the same file system as the layers. */
  readonly directory: string;
  readonly images: Images;
  readonly internals: ImageInternals;
  readonly archives: Archives;
  readonly containers: Containers;
  readonly steps: StepContainers;
  readonly clock: Clock;
  readonly random: Random;
  /** When the cache is trimmed, at the start and after each build. Default: 10 GB, two weeks. */
  readonly limits?: CacheLimits;
}

export interface CacheLimits {
  /** The least recently used goes first. */
  readonly mostBytes: number;
  readonly mostUnusedMs: number;
}

/** What RUN needs of `runtime/` beyond the port `Containers`. */
export interface StepContainers {
  /**
   * Creates a container like `Containers.create`, from an image that need not be recorded: a step between two layers has a config and a
   * chain, and no image of its own. `request.image` is only a label then. The container carries the label `dabba.build`.
   */
  createFrom(image: ResolvedImage, request: ContainerCreate): Promise<Container>;
  /**
   * Gives away what a container that has ended wrote: unmounts its root and answers the path of its upper directory, which may be moved
   * away. Afterwards the container can only be removed.
   */
  takeUpper(containerId: string): Promise<string>;
}

/** The builder, and what the engine asks of it beyond the port. */
export interface DockerfileBuilder extends Builder {
  /** Chains that cached steps ended in, for `ImageUsers.chainsInUse`. */
  chainsInUse(): Promise<readonly Digest[]>;
  /** Removes containers (label `dabba.build`) that a build left when the process died. Call once, after the containers were adopted. */
  start(): Promise<void>;
  /** Unmounts what a build left when the process died; `start` does so too. */
  release(): Promise<void>;
}

/** Label of the containers of build steps. */
export const buildLabel = 'dabba.build';
