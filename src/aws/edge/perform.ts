import { AwsError } from '../errors.ts';
import { rememberNothing, type Idempotency, type Remember } from '../idempotency.ts';
import type { CallContext } from '../service.ts';
import type { Structure } from '../wire/index.ts';
import type { Call } from './call.ts';

type Handler = (
  this: unknown,
  input: Structure,
  context: CallContext,
) => Promise<Structure | undefined> | Structure | undefined;

/** Runs the handler and answers its output; a repeated client token gets the first answer again. What is not built throws 501. */
export async function perform(call: Call, idempotency: Idempotency | undefined): Promise<Structure> {
  const { definition } = call.service!;
  const { operation } = call.wireCall!;
  // The handler belongs to this operation by its key; `defineService` has checked its type against the SDK's.
  const handler = definition.handlers[operation.name] as Handler | undefined;
  if (!handler)
    throw new AwsError('UnsupportedOperation', `dabba does not implement ${definition.name}:${operation.name} yet.`, {
      status: 501,
    });
  const run = async (remember: Remember) =>
    (await handler.call(definition.handlers, call.resolved!, { ...call.context!, remember })) ?? {};
  const mismatchCode = definition.idempotency?.[operation.name];
  if (!idempotency || mismatchCode === undefined) return run(rememberNothing);
  const { account, region } = call.context!;
  return idempotency.once(
    {
      service: definition.name,
      operation,
      account,
      region,
      input: call.input!,
      mismatchCode,
    },
    run,
  );
}
