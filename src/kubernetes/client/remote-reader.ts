/** Reads the parts of a cluster's API that other servers serve, in the name of one user. */
export interface RemoteReader {
  /** The versions of a group that some server is there for: `v1beta2`. */
  versionsOf(group: string): readonly string[];
  /**
   * The JSON that the server answers. Throws `StatusError`: `NotFound` when nobody serves it, `Forbidden` for what the user may not read, `ServiceUnavailable` when the server
   * cannot be had, and else what it says itself.
   */
  read(asked: RemoteRead, signal: AbortSignal): Promise<unknown>;
}

export interface RemoteRead {
  readonly group: string;
  readonly version: string;
  readonly namespace?: string;
  readonly resource: string;
  readonly name?: string;
  readonly subresource?: string;
  readonly query?: { readonly [name: string]: string };
}
