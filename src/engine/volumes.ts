/** A directory that outlives the containers it is mounted in. */
export interface Volume {
  readonly name: string;
  readonly createdAt: number;
  readonly labels: { readonly [name: string]: string };
  /** As asked: `type`, `device` and `o`, what mount(8) would take; empty for a directory of the engine's own. */
  readonly options: { readonly [name: string]: string };
  /** Made for one container without a name of its own, and removed with it when asked. */
  readonly isAnonymous: boolean;
  /** Where its files are, while it is mounted if it has options. */
  readonly path: string;
}

export interface VolumeCreate {
  /** Generated when absent. */
  readonly name?: string;
  readonly labels?: Volume['labels'];
  readonly options?: Volume['options'];
}

/** The volumes of one engine. Those in use are told by the containers that name them, running or not. */
export interface Volumes {
  /** Makes it, or answers the one of that name. Throws `InvalidArgument` for an unfit name or option, `Conflict` for one with other options. */
  create(request: VolumeCreate): Promise<Volume>;
  find(name: string): Promise<Volume | undefined>;
  list(): Promise<readonly Volume[]>;
  /** Ids of the containers that name it. */
  usersOf(name: string): readonly string[];
  /** Throws `NotFound`, and `Conflict` while a container uses it; with `force` the absent is passed over. */
  remove(name: string, options?: { readonly force?: boolean }): Promise<void>;
  /** Bytes of its files. */
  sizeOf(name: string): Promise<number>;
}
