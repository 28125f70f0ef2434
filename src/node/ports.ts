import type { ContainerSpec, SandboxSpec } from './sandbox.ts';

/** What a node worker asks of the room above, which knows whose sandbox it is. `aws/` supplies it for ECS. */
export interface SandboxServices {
  /**
   * Credentials for pulling `image`, or undefined for an anonymous pull. Throws `DabbaError` (`PermissionDenied`, `Unauthenticated`) when the
   * identity may not: the sandbox then fails with reason `CannotPullContainerError` and this message.
   */
  pullCredentials(
    sandbox: SandboxSpec,
    image: string,
    signal: AbortSignal,
  ): Promise<{ readonly username: string; readonly password: string } | undefined>;
  /**
   * Opens where a container's output goes, before it starts. Throws when it cannot be opened (no such log group, no permission): the
   * sandbox then fails with reason `ResourceInitializationError`.
   */
  openLog(sandbox: SandboxSpec, container: ContainerSpec, signal: AbortSignal): Promise<LogSink>;
  /** Environment that every container of the sandbox gets beside its own, e.g. the addresses of metadata and credentials. */
  environment(sandbox: SandboxSpec, container: ContainerSpec): { readonly [name: string]: string };
}

export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly stream: 'stdout' | 'stderr';
  readonly message: string;
}

/** Takes lines in order. `write` resolves when they are delivered; the worker then remembers its position and never sends them again. */
export interface LogSink {
  write(lines: readonly LogLine[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
