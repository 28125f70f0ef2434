import type { SandboxFailure } from './sandbox.ts';

/** A step found that the sandbox cannot go on: it is stopped, and this is why. */
export class SandboxFailed extends Error {
  readonly failure: SandboxFailure;
  /** The container at fault, if it is one's. */
  readonly container: string | undefined;

  constructor(failure: SandboxFailure, container?: string) {
    super(failure.message);
    this.name = 'SandboxFailed';
    this.failure = failure;
    this.container = container;
  }
}

/** The sandbox cannot start. `reason` is ECS's word for it ("Stopped tasks error messages", Amazon ECS developer guide). */
export function cannotStart(
  reason:
    | 'CannotPullContainerError'
    | 'CannotCreateContainerError'
    | 'CannotStartContainerError'
    | 'ResourceInitializationError',
  message: string,
  container?: string,
): SandboxFailed {
  return new SandboxFailed({ kind: 'failed-to-start', reason, message }, container);
}
