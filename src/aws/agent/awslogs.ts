import { DabbaError, isDabbaError, parseArn } from '#base';
import type { ContainerSpec, LogLine, LogSink, SandboxSpec } from '#node';
import { eventBatches } from './event-batches.ts';
import { ApiError, type JsonClient } from './json-client.ts';
import type { RoleCredentials } from './role-credentials.ts';

interface Destination {
  readonly region: string;
  readonly logGroupName: string;
  readonly logStreamName: string;
}

/** Options of the driver that would change what is written, which we do not do: refused, never ignored. */
const unsupportedOptions = ['awslogs-multiline-pattern', 'awslogs-datetime-format'];

/**
 * The `awslogs` driver: ECS Developer Guide, "Send logs to CloudWatch". The stream is `prefix/container/task id`; it is made when the log is
 * opened, so that a missing group or permission stops the task before its container starts.
 */
export async function openAwsLog(
  sandbox: SandboxSpec,
  container: ContainerSpec,
  parts: { readonly client: JsonClient; readonly roles: RoleCredentials; readonly signal: AbortSignal },
): Promise<LogSink> {
  const { driver, options = {} } = container.log ?? { driver: 'none' };
  if (driver !== 'awslogs') throw new DabbaError('Unimplemented', `log driver ${driver} is not supported`);
  const refused = unsupportedOptions.find((option) => options[option]);
  if (refused)
    throw new DabbaError('Unimplemented', `failed to validate logger args: ${refused} is not supported by dabba yet`);
  const destination = destinationOf(sandbox, container, options);
  const call = logCalls(sandbox, destination.region, parts);
  try {
    if (options['awslogs-create-group'] === 'true') await makeGroup(call, destination, parts.signal);
    await ignoringPresent(call('CreateLogStream', namesOf(destination), parts.signal));
  } catch (error) {
    if (isDabbaError(error, 'Unavailable') || parts.signal.aborted) throw error;
    if (!isDabbaError(error)) throw error;
    throw new DabbaError(
      error.kind,
      `failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ${error.message}`,
      { cause: error },
    );
  }
  return new AwsLogSink(destination, call);
}

function destinationOf(
  sandbox: SandboxSpec,
  container: ContainerSpec,
  options: { readonly [name: string]: string },
): Destination {
  const taskId = parseArn(sandbox.identity).resource.split('/').at(-1)!;
  const prefix = options['awslogs-stream-prefix'];
  return {
    region: options['awslogs-region'] ?? sandbox.region,
    logGroupName: options['awslogs-group'] ?? '',
    logStreamName: prefix ? `${prefix}/${container.name}/${taskId}` : `${taskId}-${container.name}`,
  };
}

function namesOf({ logGroupName, logStreamName }: Destination) {
  return { logGroupName, logStreamName };
}

type LogCall = (operation: string, input: object, signal: AbortSignal) => Promise<unknown>;

/** Calls CloudWatch Logs in the task's name; a session that has ended is replaced once. */
function logCalls(
  sandbox: SandboxSpec,
  region: string,
  { client, roles }: { readonly client: JsonClient; readonly roles: RoleCredentials },
): LogCall {
  const once = async (operation: string, input: object, signal: AbortSignal) =>
    client.call({
      service: 'logs',
      target: `Logs_20140328.${operation}`,
      region,
      input,
      credentials: await roles.execution(sandbox.identity, signal),
      signal,
    });
  return async (operation, input, signal) => {
    try {
      return await once(operation, input, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.kind !== 'Unauthenticated') throw error;
      roles.forget(sandbox.identity);
      return once(operation, input, signal);
    }
  };
}

async function makeGroup(call: LogCall, { logGroupName }: Destination, signal: AbortSignal): Promise<void> {
  await ignoringPresent(call('CreateLogGroup', { logGroupName }, signal));
}

async function ignoringPresent(made: Promise<unknown>): Promise<void> {
  await made.catch((error: unknown) => {
    if (!isDabbaError(error, 'AlreadyExists')) throw error;
  });
}

/** Writes a container's lines into its stream, in order. */
class AwsLogSink implements LogSink {
  readonly #destination: Destination;
  readonly #call: LogCall;

  constructor(destination: Destination, call: LogCall) {
    this.#destination = destination;
    this.#call = call;
  }

  async write(lines: readonly LogLine[], signal: AbortSignal): Promise<void> {
    for (const logEvents of eventBatches(lines))
      await this.#call('PutLogEvents', { ...namesOf(this.#destination), logEvents }, signal);
  }

  /** Nothing is held between writes. */
  async close(): Promise<void> {}
}
